// One setting: what it decides, its control, who set it, and what a change of it means.
import type { Changes, Setting } from "../../api/settings";
import { Button } from "../../parts/button";
import { ChoiceField, TextField, TickField } from "../../parts/field";
import { words } from "../../words";
import { changed, isSet, shown, waits } from "./sections";

interface RowProps {
  setting: Setting;
  about: string;
  /** Why it cannot be changed here. */
  locked: string | undefined;
  draft: Changes;
  onDraft: (draft: Changes) => void;
  error: string | undefined;
}

export function SettingRow({ setting, about, locked, draft, onDraft, error }: RowProps) {
  const said = words.settings;
  const goesBack = draft[setting.name] === null;
  const isChanged = setting.name in draft;
  const set = (value: string | null): void => onDraft(changed(draft, setting, value));
  const keptHere = (setting.kept ?? null) !== null || (setting.hidden === true && setting.origin.layer === "page");
  const undo = (): void => {
    const { [setting.name]: _, ...others } = draft;
    onDraft(others);
  };
  return (
    <div class={`setting ${isChanged ? "changed" : ""}`} id={`setting-${setting.name}`}>
      <Control
        setting={setting}
        label={about}
        value={shown(setting, draft)}
        disabled={Boolean(setting.locked) || goesBack}
        error={error}
        onValue={set}
      />
      <p class="small quiet">
        <code>{setting.name}</code> · <Origin of={setting} />
        {setting.restart && !setting.locked && <> · {said.afterRestart}</>}
      </p>
      {setting.hidden && <p class="small quiet">{said.hidden}</p>}
      {locked && <p class="small">{said.locked(locked)}</p>}
      {waits(setting) && !isChanged && <p class="small warn">{said.waits}</p>}
      {goesBack && <p class="small">{said.goesBack}</p>}
      {(isChanged || (keptHere && !setting.locked)) && (
        <div class="row">
          {isChanged ? (
            <Button kind="bare" onClick={undo}>
              {said.undo}
            </Button>
          ) : (
            <Button kind="bare" onClick={() => set(null)}>
              {said.back}
            </Button>
          )}
        </div>
      )}
    </div>
  );
}

/** Who set it, and what it is without anybody. */
function Origin({ of: setting }: { of: Setting }) {
  const said = words.settings;
  const { layer, where = "" } = setting.origin;
  const by = layer === "file" || layer === "environment" ? said.layers[layer](where) : said.layers[layer];
  const differs = isSet(setting) && !setting.hidden && setting.default !== setting.value;
  return (
    <>
      {layer === "default" ? by : <strong>{by}</strong>}
      {differs && <> · {said.usual(setting.default ?? said.unset)}</>}
    </>
  );
}

interface ControlProps {
  setting: Setting;
  label: string;
  value: string;
  disabled: boolean;
  error: string | undefined;
  onValue: (value: string) => void;
}

function Control({ setting, label, value, disabled, error, onValue }: ControlProps) {
  const { kind, choices } = setting;
  const said = words.settings;
  if (kind === "flag") {
    return (
      <>
        <TickField
          label={label}
          checked={(value || setting.default) === "true"}
          disabled={disabled}
          onChecked={(on) => onValue(`${on}`)}
        />
        {error && (
          <p class="wrong" role="alert">
            {error}
          </p>
        )}
      </>
    );
  }
  if (kind === "choice" && choices) {
    const all = value === "" || choices.includes(value) ? choices : [value, ...choices];
    return (
      <ChoiceField
        label={label}
        error={error}
        disabled={disabled}
        value={value}
        onValue={onValue}
        options={all.map((choice) => ({ value: choice, text: choice }))}
      />
    );
  }
  const list = choices && `choices-${setting.name}`;
  const unit =
    kind === "size" || kind === "time" || kind === "list" || kind === "number" ? said.units[kind] : undefined;
  return (
    <>
      <TextField
        label={label}
        hint={disabled ? undefined : unit}
        error={error}
        disabled={disabled}
        mono={kind !== "text" || setting.name !== "name"}
        type={kind === "secret" ? "password" : "text"}
        {...(kind === "number" && { inputMode: "numeric" as const })}
        {...(list && { list })}
        autocomplete="off"
        spellcheck={false}
        placeholder={setting.default ?? ""}
        value={value}
        onValue={onValue}
      />
      {list && (
        <datalist id={list}>
          {choices.map((choice) => (
            <option key={choice} value={choice} />
          ))}
        </datalist>
      )}
    </>
  );
}
