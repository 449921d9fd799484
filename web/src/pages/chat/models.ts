// The models that can chat, and which of them are in memory.
import { signal } from "@preact/signals";
import { ask } from "../../api/client";
import { LOADED, MODELS, type Capability, type Loaded, type Model } from "../../api/models";

/** Those that can chat; unknown until the box told. */
export const models = signal<readonly Model[] | undefined>(undefined);

/** The names of those in memory. */
export const inMemory = signal<ReadonlySet<string>>(new Set());

const LAST = "hob.chat.model";

/** Asks the box which there are. */
export async function refreshModels(): Promise<void> {
  const [all, loaded] = await Promise.all([
    ask<{ models: Model[] }>("GET", MODELS),
    ask<{ models: Loaded[] }>("GET", LOADED).catch(() => ({ models: [] })),
  ]);
  models.value = all.models.filter((model) => model.capabilities.includes("completion"));
  inMemory.value = new Set(loaded.models.map((model) => model.name));
}

export function capabilitiesOf(name: string): readonly Capability[] {
  return models.value?.find((model) => model.name === name)?.capabilities ?? [];
}

/** The model of a conversation of which none was said: the one last used here, else one in memory, else the newest. */
export function usualModel(): string {
  const known = models.value ?? [];
  const last = localStorage.getItem(LAST);
  return (
    (known.find((model) => model.name === last) ?? known.find((model) => inMemory.value.has(model.name)) ?? known[0])
      ?.name ?? ""
  );
}

export function remember(model: string): void {
  localStorage.setItem(LAST, model);
}
