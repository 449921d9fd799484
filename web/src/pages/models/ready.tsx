// Keeping a model ready: in memory until somebody says otherwise, and loaded when the box starts.
import { useState } from "preact/hooks";
import { may } from "../../api/box";
import { ask } from "../../api/client";
import { stays, type Model } from "../../api/models";
import { useAsked } from "../../parts/asked";
import { TickField } from "../../parts/field";
import { trying } from "../../parts/notice";
import { words } from "../../words";
import { loadIt } from "./actions";
import type { Here } from "./here";
import { Marked } from "../../parts/marked";

export function Ready({ model, here, context }: { model: Model; here: Here; context: number | undefined }) {
  const said = words.models;
  const loaded = here.loaded.find((each) => each.name === model.name);
  const [busy, setBusy] = useState(false);
  const pin = async (checked: boolean): Promise<void> => {
    setBusy(true);
    await loadIt({ model: model.name, ...(checked && { keep_alive: -1 }), ...(context && { options: { num_ctx: context } }) }, model.capabilities);
    setBusy(false);
    here.again();
  };
  if (model.capabilities.includes("rerank")) return null;
  return (
    <section class="card stack">
      <h2>{said.stay}</h2>
      <TickField label={said.pin} hint={said.pinHint} disabled={busy} checked={loaded !== undefined && stays(loaded)} onChecked={(checked) => void pin(checked)} />
      {may("admin") && <Preload model={model.name} />}
    </section>
  );
}

const PRELOAD = "models.preload";

/** As much of a setting as is needed here. */
interface Setting {
  name: string;
  value: string | null;
  kept?: string | null;
  locked?: string;
}

function Preload({ model }: { model: string }) {
  const said = words.models;
  const settings = useAsked<{ settings: Setting[] }>("/admin/api/settings");
  const [busy, setBusy] = useState(false);
  const setting = settings.value?.settings.find((each) => each.name === PRELOAD);
  if (!setting) return null;
  const names = listed(setting.kept ?? setting.value);
  const turn = async (checked: boolean): Promise<void> => {
    const wanted = checked ? [...names, model] : names.filter((name) => !same(name, model));
    setBusy(true);
    await trying(async () => settings.set(await ask("PUT", "/admin/api/settings", { values: { [PRELOAD]: wanted.length > 0 ? wanted.join(", ") : null } })));
    setBusy(false);
  };
  return (
    <TickField
      label={said.preload}
      hint={setting.locked ?? <Marked text={said.preloadHint} />}
      disabled={busy || setting.locked !== undefined}
      checked={names.some((name) => same(name, model))}
      onChecked={(checked) => void turn(checked)}
    />
  );
}

function listed(text: string | null): string[] {
  return (text ?? "").split(",").map((name) => name.trim()).filter((name) => name !== "");
}

function same(one: string, other: string): boolean {
  const whole = (name: string): string => (/:[^/]*$/.test(name) ? name : `${name}:latest`);
  return whole(one) === whole(other);
}
