// Making a key: what it is for, what it may, until when; and behind a fold how much.
import { useState } from "preact/hooks";
import type { Scope } from "../../api/box";
import { makeKey, type NewKey, type Priority, type WantedKey } from "../../api/keys";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { ChoiceField, TextField, TickField } from "../../parts/field";
import { FormError, OwnPassword, confirmation, useForm, type Form } from "../../parts/form";
import { words } from "../../words";
import { LIMITS, PRESETS, SCOPES, listed, presetOf, type Preset } from "./presets";

type Span = keyof typeof words.keys.spans;

interface Draft {
  name: string;
  scopes: readonly Scope[];
  span: Span;
  /** A day, if it is good until one. */
  lastDay: string;
  models: string;
  networks: string;
  priority: Priority;
  limits: Partial<Record<(typeof LIMITS)[number], string>>;
  password: string;
}

const EMPTY: Draft = {
  name: "",
  scopes: PRESETS.program,
  span: "never",
  lastDay: "",
  models: "",
  networks: "",
  priority: "normal",
  limits: {},
  password: "",
};

interface PartProps {
  draft: Draft;
  change: (change: Partial<Draft>) => void;
  form: Form;
}

export function MakeKey({ onClose, onMade }: { onClose: () => void; onMade: (key: NewKey) => void }) {
  const said = words.keys;
  const [draft, setDraft] = useState(EMPTY);
  const form = useForm("name", "scopes", "expires", "models", "networks", "confirm", ...LIMITS);
  const change = (change: Partial<Draft>): void => setDraft({ ...draft, ...change });
  const submit = (event: Event): void => {
    event.preventDefault();
    void form.send(async () => onMade(await makeKey(wanted(draft))));
  };
  const part = { draft, change, form };
  return (
    <Dialog title={said.newTitle} onClose={onClose}>
      <form class="stack" onSubmit={submit}>
        <TextField
          label={said.keyName}
          hint={said.keyNameHint}
          error={form.wrong("name")}
          required
          maxLength={64}
          autocomplete="off"
          value={draft.name}
          onValue={(name) => change({ name })}
        />
        <Scopes {...part} />
        <Expiry {...part} />
        <details class="fold">
          <summary>{said.more}</summary>
          <Limits {...part} />
        </details>
        <OwnPassword form={form} value={draft.password} onValue={(password) => change({ password })} />
        <FormError of={form} />
        <div class="ends">
          <Button onClick={onClose}>{words.shell.cancel}</Button>
          <Button type="submit" kind="main" busy={form.busy} disabled={draft.scopes.length === 0}>
            {said.act}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function Scopes({ draft, change, form }: PartProps) {
  const said = words.keys;
  const preset = presetOf(draft.scopes);
  const tick = (scope: Scope, on: boolean): void =>
    change({ scopes: on ? [...draft.scopes, scope] : draft.scopes.filter((other) => other !== scope) });
  return (
    <>
      <div role="group" aria-label={said.purpose} class="row">
        {(Object.keys(PRESETS) as Preset[]).map((name) => (
          <Button key={name} pressed={preset === name} onClick={() => change({ scopes: PRESETS[name] })}>
            {said.presets[name]}
          </Button>
        ))}
      </div>
      <fieldset class="ticks">
        <legend>{said.allows}</legend>
        {SCOPES.map((scope) => (
          <TickField
            key={scope}
            label={said.scopes[scope].name}
            hint={said.scopes[scope].about}
            checked={draft.scopes.includes(scope)}
            onChecked={(on) => tick(scope, on)}
          />
        ))}
        {form.wrong("scopes") && (
          <p class="wrong" role="alert">
            {form.wrong("scopes")}
          </p>
        )}
      </fieldset>
    </>
  );
}

function Expiry({ draft, change, form }: PartProps) {
  const said = words.keys;
  const spans = Object.keys(said.spans) as Span[];
  return (
    <div class="pair">
      <ChoiceField
        label={said.goodFor}
        error={draft.span === "date" ? undefined : form.wrong("expires")}
        value={draft.span}
        onValue={(span) => change({ span })}
        options={spans.map((value) => ({ value, text: said.spans[value] }))}
      />
      {draft.span === "date" && (
        <TextField
          label={said.lastDay}
          error={form.wrong("expires")}
          type="date"
          required
          value={draft.lastDay}
          onValue={(lastDay) => change({ lastDay })}
        />
      )}
    </div>
  );
}

function Limits({ draft, change, form }: PartProps) {
  const said = words.keys;
  const priorities = Object.keys(said.priorities) as Priority[];
  return (
    <div class="stack">
      <TextField
        label={said.models}
        hint={said.modelsHint}
        error={form.wrong("models")}
        mono
        spellcheck={false}
        autocomplete="off"
        value={draft.models}
        onValue={(models) => change({ models })}
      />
      <TextField
        label={said.networks}
        hint={said.networksHint}
        error={form.wrong("networks")}
        mono
        spellcheck={false}
        autocomplete="off"
        value={draft.networks}
        onValue={(networks) => change({ networks })}
      />
      <div class="pair">
        {LIMITS.map((name) => (
          <TextField
            key={name}
            label={said.fields[name]}
            error={form.wrong(name)}
            inputMode="numeric"
            autocomplete="off"
            value={draft.limits[name] ?? ""}
            onValue={(value) => change({ limits: { ...draft.limits, [name]: value.replace(/\D/g, "") } })}
          />
        ))}
      </div>
      <p class="hint">{said.unlimited}</p>
      <ChoiceField
        label={said.priority}
        value={draft.priority}
        onValue={(priority) => change({ priority })}
        options={priorities.map((value) => ({ value, text: said.priorities[value] }))}
      />
    </div>
  );
}

/** The draft as the box takes it. A day is good until its end, here. */
function wanted(draft: Draft): WantedKey {
  const limits = Object.fromEntries(
    LIMITS.flatMap((name) => (draft.limits[name] ? [[name, Number(draft.limits[name])]] : [])),
  );
  const until = draft.span === "date" ? new Date(`${draft.lastDay}T23:59:59`).toISOString() : draft.span;
  return {
    name: draft.name.trim(),
    scopes: [...draft.scopes],
    models: listed(draft.models),
    networks: listed(draft.networks),
    priority: draft.priority,
    ...limits,
    ...(until !== "never" && { expires: until }),
    ...confirmation(draft.password),
  };
}
