// Keeping a model ready: in memory until somebody says otherwise, and loaded when the box starts.
import { useState } from "preact/hooks";
import { may } from "../../api/box";
import { stays, type Model } from "../../api/models";
import { SETTINGS, keepSettings, type Settings } from "../../api/settings";
import { useAsked } from "../../parts/asked";
import { TickField } from "../../parts/field";
import { Marked } from "../../parts/marked";
import { trying } from "../../parts/notice";
import { words } from "../../words";
import { loadIt } from "./actions";
import type { Here } from "./here";

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

function Preload({ model }: { model: string }) {
  const said = words.models;
  const settings = useAsked<Settings>(SETTINGS);
  const [busy, setBusy] = useState(false);
  const setting = settings.value?.settings.find((each) => each.name === PRELOAD);
  if (!setting) return null;
  const names = listed(setting.kept ?? setting.value);
  const turn = async (checked: boolean): Promise<void> => {
    const wanted = checked ? [...names, model] : names.filter((name) => !same(name, model));
    setBusy(true);
    await trying(async () => settings.set(await keepSettings({ [PRELOAD]: wanted.join(", ") })));
    setBusy(false);
  };
  return (
    <TickField
      label={said.preload}
      hint={setting.locked ?? <Marked text={said.preloadHint} />}
      disabled={busy || setting.locked != null}
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
