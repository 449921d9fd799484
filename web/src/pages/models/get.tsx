// Getting a model: one that is suggested by one click, any other by its name, from the internet or from a paired box.
import { useState } from "preact/hooks";
import { may } from "../../api/box";
import type { Model } from "../../api/models";
import { PEERS, type Neighbourhood } from "../../api/network";
import type { Now } from "../../api/now";
import { pull, type Pull } from "../../api/pulls";
import { bytes } from "../../format";
import { useAsked } from "../../parts/asked";
import { Button } from "../../parts/button";
import { ChoiceField, TextField, TickField } from "../../parts/field";
import { FormError, useForm } from "../../parts/form";
import { Marked } from "../../parts/marked";
import { say, trying } from "../../parts/notice";
import { locale, words } from "../../words";
import { SUGGESTIONS, advised, type Suggestion } from "./suggestions";

interface GetProps {
  models: Model[];
  pulls: Pull[];
  onBegun: () => void;
}

/** Where there is no model yet. */
export function GetFirst({ pulls }: { pulls: Pull[] }) {
  const coming = pulls.some((pull) => pull.state === "running");
  return (
    <section class="stack">
      <h2>{coming ? words.models.anotherTitle : words.models.noneTitle}</h2>
      {!coming && <p class="measure">{words.models.none}</p>}
      <Get models={[]} pulls={pulls} onBegun={() => undefined} />
    </section>
  );
}

export function Get({ models, pulls, onBegun }: GetProps) {
  // What the box has is for its owners to know.
  const now = useAsked<Now>(may("admin") ? "/admin/api/now" : undefined);
  const limit = now.value?.memory.limit;
  // One that comes already is the first.
  const first =
    models.length > 0 || pulls.some((pull) => pull.state === "running") ? undefined : advised(limit, locale);
  const known = (name: string): boolean =>
    models.some((model) => model.name === name || model.name === `${name}:latest`) ||
    pulls.some((pull) => pull.state !== "failed" && pull.model.replace(/:latest$/, "") === name);
  const shown = SUGGESTIONS.filter(({ name }) => !known(name));
  return (
    <>
      <ul class="offers">
        {shown
          .sort((one, other) => Number(other.name === first) - Number(one.name === first))
          .map((suggestion) => (
            <Suggested
              key={suggestion.name}
              suggestion={suggestion}
              first={suggestion.name === first}
              tooBig={limit !== undefined && suggestion.needs > limit}
              onBegun={onBegun}
            />
          ))}
      </ul>
      <ByName onBegun={onBegun} />
    </>
  );
}

interface SuggestedProps {
  suggestion: Suggestion;
  first: boolean;
  tooBig: boolean;
  onBegun: () => void;
}

function Suggested({ suggestion: { name, bytes: size }, first, tooBig, onBegun }: SuggestedProps) {
  const said = words.models;
  const [busy, setBusy] = useState(false);
  const act = async (): Promise<void> => {
    setBusy(true);
    if (await trying(() => pull({ model: name }))) {
      say(said.pullBegun(name));
      onBegun();
    }
    setBusy(false);
  };
  return (
    <li class={first ? "card first" : "card"}>
      <div class="row apart">
        <h3>{name}</h3>
        {first && <span class="tags accent">{said.advised}</span>}
      </div>
      <p class="small">{said.suggested[name]}</p>
      <div class="row apart">
        <span class="small quiet">
          {said.about(bytes(size))}
          {tooBig && ` · ${said.tooBig}`}
        </span>
        <Button kind={first ? "main" : "plain"} icon="download" busy={busy} onClick={() => void act()}>
          {said.fetch} <span class="unseen">{name}</span>
        </Button>
      </div>
    </li>
  );
}

const REGISTRY = "";

/** Whether a name is of a registry that may be one's own, which may have no TLS: it has a port. */
const mayBePlain = (name: string): boolean => /^[^/]+:\d+\//.test(name);

function ByName({ onBegun }: { onBegun: () => void }) {
  const said = words.models;
  const form = useForm("model", "from");
  const neighbourhood = useAsked<Neighbourhood>(may("admin") ? PEERS : undefined);
  const peers = neighbourhood.value?.peers.filter((peer) => peer.online && !peer.refused) ?? [];
  const [typed, setName] = useState("");
  const [from, setFrom] = useState<string>(REGISTRY);
  const [plain, setPlain] = useState(false);
  const name = typed.trim();
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const where = from === REGISTRY ? { insecure: plain && mayBePlain(name) } : { from };
    if (!(await form.send(() => pull({ model: name, ...where })))) return;
    say(said.pullBegun(name));
    setName("");
    onBegun();
  };
  return (
    <form class="by-name" onSubmit={(event) => void submit(event)}>
      <TextField
        label={said.byName}
        hint={<Marked text={said.nameHint} />}
        error={form.wrong("model")}
        required
        mono
        autocomplete="off"
        spellcheck={false}
        value={typed}
        onValue={setName}
      />
      {peers.length > 0 && (
        <ChoiceField
          label={said.from}
          error={form.wrong("from")}
          value={from}
          onValue={setFrom}
          options={[
            { value: REGISTRY, text: said.fromRegistry },
            ...peers.map((peer) => ({ value: peer.name, text: said.fromPeer(peer.name) })),
          ]}
        />
      )}
      {from === REGISTRY && mayBePlain(name) && (
        <TickField label={said.plain} hint={<Marked text={said.plainHint} />} checked={plain} onChecked={setPlain} />
      )}
      <FormError of={form} />
      <Button type="submit" icon="download" busy={form.busy}>
        {said.fetch}
      </Button>
    </form>
  );
}
