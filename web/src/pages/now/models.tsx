// Models in memory, or on their way into it: what each takes, who uses it, and how long it stays.
import { useState } from "preact/hooks";
import { unload } from "../../api/models";
import type { Now, NowModel } from "../../api/now";
import { bytes, number, span } from "../../format";
import { Button } from "../../parts/button";
import { say, trying } from "../../parts/notice";
import { Table } from "../../parts/table";
import { Link } from "../../place";
import { words } from "../../words";

export function Models({ now }: { now: Now }) {
  const said = words.now;
  const taken = (name: string) => now.memory.models.find((each) => each.name === name);
  return (
    <section class="stack">
      <h2>{said.models}</h2>
      <Table
        caption={said.models}
        rows={now.models}
        rowKey={(model) => model.name}
        empty={said.noModels}
        columns={[
          {
            title: said.model,
            heading: true,
            cell: ({ name }) => <Link to={`/models?show=${encodeURIComponent(name)}`}>{name}</Link>,
          },
          { title: said.state, cell: (model) => <State model={model} /> },
          { title: said.takes, figure: true, cell: ({ name }) => <Takes taken={taken(name)} /> },
          {
            title: said.context,
            figure: true,
            cell: ({ context, sequences }) => context !== undefined && said.contextOf(number(context), sequences ?? 1),
          },
          { title: said.use, cell: (model) => <Use model={model} /> },
          { title: said.left, figure: true, cell: (model) => left(model, now.at) },
          { title: said.actions, unseen: true, cell: (model) => <Unload model={model} /> },
        ]}
      />
    </section>
  );
}

function State({ model: { state, reason, device } }: { model: NowModel }) {
  return (
    <span>
      {words.now.states[state]}
      <span class="small quiet">
        {device && ` · ${device}`}
        {reason && ` · ${reason}`}
      </span>
    </span>
  );
}

function Takes({ taken }: { taken: Now["memory"]["models"][number] | undefined }) {
  if (!taken) return null;
  const { weights, cache, compute, prefixes, rest, by } = taken;
  return (
    <span>
      {bytes(weights + cache + compute + prefixes + rest)}
      {by === "estimated" && <span class="small quiet"> {words.now.estimated}</span>}
    </span>
  );
}

function Use({ model: { running, waiting, longest_wait: longest } }: { model: NowModel }) {
  const said = words.now;
  return (
    <span>
      {said.inUse(running, waiting)}
      {waiting > 0 && longest !== undefined && <span class="small quiet"> {said.longest(span(longest))}</span>}
    </span>
  );
}

function left({ expires, state, running }: NowModel, at: string): string {
  if (expires === null) return words.now.stays;
  if (expires === undefined || state === "loading" || running > 0) return "";
  return span(Math.max(Math.round((Date.parse(expires) - Date.parse(at)) / 1000), 0));
}

function Unload({ model: { name, state } }: { model: NowModel }) {
  const said = words.now;
  const [busy, setBusy] = useState(false);
  if (state !== "loaded" && state !== "resting") return null;
  const act = async (): Promise<void> => {
    setBusy(true);
    if (await trying(() => unload(name))) say(said.unloaded(name));
    setBusy(false);
  };
  return (
    <Button busy={busy} onClick={() => void act()}>
      {said.unload} <span class="unseen">{name}</span>
    </Button>
  );
}
