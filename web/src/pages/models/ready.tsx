// Keeping a model ready: in memory until somebody says otherwise, and loaded when the box starts.
import { useEffect, useState } from "preact/hooks";
import { may } from "../../api/box";
import { ask } from "../../api/client";
import { stays, type Model } from "../../api/models";
import { SETTINGS, keepSettings, type Settings } from "../../api/settings";
import { useAsked, type Asked } from "../../parts/asked";
import { TickField } from "../../parts/field";
import { Marked } from "../../parts/marked";
import { trying } from "../../parts/notice";
import { words } from "../../words";
import { loadIt } from "./actions";
import type { Here } from "./here";

export function Ready({ model, here, context }: { model: Model; here: Here; context: number | undefined }) {
  const said = words.models;
  const loaded = here.loaded.find((each) => each.name === model.name);
  const settings = useAsked<Settings>(may("admin") ? SETTINGS : undefined);
  const tick = useTick(loaded !== undefined && stays(loaded), async (pinned) => {
    const done = await loadIt(
      {
        model: model.name,
        keep_alive: pinned ? -1 : usual(settings.value),
        ...(context && { options: { num_ctx: context } }),
      },
      model.capabilities,
    );
    here.again();
    return done;
  });
  if (model.capabilities.includes("rerank")) return null;
  return (
    <section class="card stack">
      <h2>{said.stay}</h2>
      <TickField label={said.pin} hint={said.pinHint} {...tick} />
      {may("admin") && <Preload model={model.name} settings={settings} />}
    </section>
  );
}

/** How long a model stays that nobody keeps. The box goes on with what it was told last, so it has to be told. */
function usual(settings: Settings | undefined): string {
  const set = settings?.settings.find((each) => each.name === "models.keep_alive")?.value;
  return set && !set.startsWith("-") ? set : "5m";
}

const PRELOAD = "models.preload";

const settingIn = ({ settings }: Settings) => settings.find((each) => each.name === PRELOAD);

function Preload({ model, settings }: { model: string; settings: Asked<Settings> }) {
  const said = words.models;
  const setting = settings.value && settingIn(settings.value);
  const names = listed(setting?.kept ?? setting?.value);
  const tick = useTick(
    names.some((name) => same(name, model)),
    (preloaded) =>
      trying(async () => {
        // The list is sent whole, and others may have changed it since this page was opened.
        const now = settingIn(await ask<Settings>("GET", SETTINGS));
        const others = listed(now?.kept ?? now?.value).filter((name) => !same(name, model));
        const wanted = (preloaded ? [...others, model] : others).join(", ");
        settings.set(await keepSettings({ [PRELOAD]: wanted === "" && now?.origin.layer !== "file" ? null : wanted }));
      }),
  );
  if (!setting) return null;
  return (
    <TickField
      label={said.preload}
      hint={setting.locked ?? <Marked text={said.preloadHint} />}
      {...tick}
      disabled={tick.disabled || setting.locked != null}
    />
  );
}

/** A tick that shows at once what was chosen, and goes back if that could not be done. */
function useTick(is: boolean, turn: (to: boolean) => Promise<boolean>) {
  const [chosen, setChosen] = useState<boolean>();
  const [busy, setBusy] = useState(false);
  useEffect(() => setChosen(undefined), [is]);
  const onChecked = async (to: boolean): Promise<void> => {
    setBusy(true);
    setChosen(to);
    if (!(await turn(to))) setChosen(undefined);
    setBusy(false);
  };
  return { checked: chosen ?? is, disabled: busy, onChecked: (to: boolean) => void onChecked(to) };
}

function listed(text: string | null | undefined): string[] {
  return (text ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

function same(one: string, other: string): boolean {
  const whole = (name: string): string => (/:[^/]*$/.test(name) ? name : `${name}:latest`);
  return whole(one) === whole(other);
}
