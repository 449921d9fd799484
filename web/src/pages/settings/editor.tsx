// Finding settings and changing them: what is changed is gathered, and kept whole or not at all.
import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { me, meet } from "../../api/box";
import { Failure } from "../../api/client";
import { keepSettings, type Changes, type Setting, type Settings } from "../../api/settings";
import { TextField, TickField } from "../../parts/field";
import { Notice, reason, say, trying } from "../../parts/notice";
import { confirm } from "../../parts/confirm";
import { place } from "../../place";
import { locale, words } from "../../words";
import { RestartButton } from "./restart";
import { SaveBar } from "./save-bar";
import { SettingRow } from "./row";
import { fits, isSet, sectioned, waits, without } from "./sections";

interface EditorProps {
  settings: Setting[];
  drain: string;
  onKept: (settings: Settings) => void;
}

export function Editor({ settings, drain, onKept }: EditorProps) {
  const said = words.settings;
  const { about, locked } = useTold();
  const [looked, setLooked] = useState(place.value.query.get("find") ?? "");
  const [onlySet, setOnlySet] = useState(false);
  const [draft, setDraft] = useDraft();
  const [failed, setFailed] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const field = failed instanceof Failure ? failed.field : undefined;
  const atFault = settings.some((setting) => setting.name === field) ? field : undefined;
  useEffect(() => {
    if (atFault !== undefined) goTo(atFault);
  }, [failed]);
  const looking = looked.trim() !== "" || onlySet;
  // What is at fault is shown, whatever is looked for.
  const found = settings.filter(
    (setting) =>
      setting.name === atFault || ((!onlySet || isSet(setting)) && fits(setting, about(setting), looked.trim())),
  );
  const waiting = settings.filter(waits).length;

  const keep = async (confirm?: string): Promise<void> => {
    onKept(await keepSettings(draft, confirm));
    setDraft(without(unkept.peek().draft, draft));
    setFailed(undefined);
    say(said.saved);
    // It is kept, whether or not the page hears of its new name at once.
    if ("name" in draft) await trying(meet);
  };
  const discard = (): void => {
    setDraft({});
    setFailed(undefined);
  };
  const save = async (): Promise<void> => {
    if (settings.some((setting) => setting.confirm && setting.name in draft)) return ask(keep, setFailed);
    setBusy(true);
    await keep().catch(setFailed);
    setBusy(false);
  };
  return (
    <>
      {waiting > 0 && (
        <Notice kind="warning">
          <div class="row apart">
            {said.pending(waiting)}
            <RestartButton drain={drain} />
          </div>
        </Notice>
      )}
      <div class="finding">
        <TextField label={said.find} type="search" autocomplete="off" value={looked} onValue={setLooked} />
        <TickField label={said.onlyChanged} checked={onlySet} onChecked={setOnlySet} />
      </div>
      <p class="unseen" role="status">
        {looking ? said.count(found.length) : ""}
      </p>
      {found.length === 0 && <p class="quiet">{said.nothingFound}</p>}
      {sectioned(found).map(({ section, settings }) => (
        <details
          key={`${section} ${looking}`}
          class="card fold section"
          open={looking || section === "often" || settings.some(({ name }) => name === atFault)}
        >
          <summary>
            <h2>{said.sections[section]}</h2> <span class="quiet small">{said.count(settings.length)}</span>
          </summary>
          <div class="stack">
            {settings.map((setting) => (
              <SettingRow
                key={setting.name}
                setting={setting}
                about={about(setting)}
                locked={locked(setting)}
                draft={draft}
                onDraft={setDraft}
                error={setting.name === atFault ? reason(failed) : undefined}
              />
            ))}
          </div>
        </details>
      ))}
      {Object.keys(draft).length > 0 && (
        <SaveBar
          settings={settings}
          draft={draft}
          busy={busy}
          error={failed !== undefined && atFault === undefined ? reason(failed) : undefined}
          onSave={() => void save()}
          onDiscard={discard}
        />
      )}
    </>
  );
}

/** What is changed and not kept yet: it is there still when somebody looks at another page meanwhile, and is nobody else's. */
const unkept = signal<{ of: string | undefined; draft: Changes }>({ of: undefined, draft: {} });

function useDraft(): [Changes, (draft: Changes) => void] {
  const of = me.value?.name;
  const { draft } = unkept.value.of === of ? unkept.value : { draft: {} };
  return [draft, (draft) => (unkept.value = { of, draft })];
}

/** Takes the reader to a setting. */
function goTo(name: string): void {
  const row = document.getElementById(`setting-${name}`);
  row?.scrollIntoView({ block: "center" });
  row?.querySelector<HTMLElement>("input, select")?.focus({ preventScroll: true });
}

/** Has the owner type their password; what is wrong with a setting is told beside it. */
function ask(keep: (confirm?: string) => Promise<void>, failed: (error: unknown) => void): void {
  const said = words.settings;
  confirm({
    title: said.saveTitle,
    text: said.saveText,
    act: words.shell.save,
    password: true,
    does: (confirm) =>
      keep(confirm).catch((error: unknown) => {
        if (!(error instanceof Failure) || error.field === undefined || error.field === "confirm") throw error;
        failed(error);
      }),
  });
}

interface Told {
  about: Record<string, string>;
  why: Record<string, string>;
}

const UNTOLD: Told = { about: {}, why: {} };

/** What the box says of a setting, in the reader's language where there are words for it. */
function useTold(): { about: (setting: Setting) => string; locked: (setting: Setting) => string | undefined } {
  const [told, setTold] = useState(UNTOLD);
  useEffect(() => {
    if (locale.startsWith("zh"))
      void import("../../words/zh/about").then(({ default: about, why }) => setTold({ about, why }));
  }, []);
  return {
    about: (setting) => told.about[setting.name] ?? setting.about,
    locked: ({ locked, origin }) => {
      if (!locked) return undefined;
      return origin.layer === "environment" && origin.where
        ? words.settings.byVariable(origin.where)
        : (told.why[locked] ?? locked);
    },
  };
}
