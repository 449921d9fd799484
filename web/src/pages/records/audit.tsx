// The audit log as people read it: the newest first, by what one looks for, and as it grows.
import { useState } from "preact/hooks";
import { KEYS, type Key } from "../../api/keys";
import { AUDIT, type Entry } from "../../api/records";
import { clock, date } from "../../format";
import { useAsked } from "../../parts/asked";
import { Button } from "../../parts/button";
import { ChoiceField, TextField, TickField } from "../../parts/field";
import { Icon } from "../../parts/icon";
import { Notice } from "../../parts/notice";
import { Loaded } from "../../parts/page";
import { Table, type Column } from "../../parts/table";
import { words } from "../../words";
import { useEntries, type Filter } from "./entries";
import { useSettled } from "./settled";

const EMPTY: Filter = { action: "", who: "", outcome: "", text: "" };

export function Audit() {
  const said = words.records;
  const [filter, setFilter] = useState(EMPTY);
  const [live, setLive] = useState(true);
  const found = useEntries(useSettled(filter), live);
  const { value: known } = useAsked<{ keys: Key[] }>(KEYS);
  const change = (change: Partial<Filter>): void => setFilter({ ...filter, ...change });
  return (
    <section class="stack" aria-label={said.tabs.audit}>
      <p class="quiet">{said.auditText}</p>
      <Filters filter={filter} change={change} />
      <div class="row apart">
        <TickField label={said.live} checked={live} onChecked={setLive} />
        <a class="button plain" href={AUDIT} download="hob-audit.ndjson">
          <Icon name="download" />
          {said.download}
        </a>
      </div>
      {found.damaged > 0 && <Notice kind="bad">{said.damaged(found.damaged)}</Notice>}
      <Loaded of={found.asked}>
        {(entries) => (
          <Table
            caption={said.tabs.audit}
            columns={columns(known?.keys ?? [])}
            rows={entries}
            rowKey={(entry) => entry.seq}
            empty={said.none}
          />
        )}
      </Loaded>
      {found.more && (
        <div>
          <Button busy={found.busy} onClick={found.more}>
            {said.more}
          </Button>
        </div>
      )}
    </section>
  );
}

function Filters({ filter, change }: { filter: Filter; change: (change: Partial<Filter>) => void }) {
  const said = words.records;
  const all = (first: string, named: Record<string, string>) => [
    { value: "", text: first },
    ...Object.entries(named).map(([value, text]) => ({ value, text })),
  ];
  return (
    <div class="pair">
      <TextField
        label={said.text}
        type="search"
        autocomplete="off"
        value={filter.text}
        onValue={(text) => change({ text })}
      />
      <ChoiceField
        label={said.what}
        value={filter.action}
        onValue={(action) => change({ action })}
        options={all(said.anything, said.groups)}
      />
      <ChoiceField
        label={said.who}
        value={filter.who}
        onValue={(who) => change({ who })}
        options={all(said.anybody, said.callers)}
      />
      <ChoiceField
        label={said.outcome}
        value={filter.outcome}
        onValue={(outcome) => change({ outcome })}
        options={all(said.anyOutcome, said.outcomes)}
      />
    </div>
  );
}

function columns(keys: Key[]): Column<Entry>[] {
  const said = words.records;
  return [
    {
      title: said.when,
      cell: (entry) => (
        <time class="small" dateTime={entry.time}>
          {date(entry.time)} {clock(entry.time)}
        </time>
      ),
    },
    {
      title: said.who,
      cell: (entry) => (
        <span class="named">
          {called(entry.who, keys)}
          {entry.from && <span class="mono quiet small">{entry.from}</span>}
        </span>
      ),
    },
    {
      title: said.what,
      cell: (entry) => (
        <span class="named" title={entry.action}>
          {(entry.outcome !== "done" && said.tried[entry.action]) || (said.actions[entry.action] ?? entry.action)}
          {entry.target !== "" && <Target text={entry.target} />}
        </span>
      ),
    },
    {
      title: said.outcome,
      cell: (entry) => <span class={entry.outcome === "done" ? "quiet" : "wrong"}>{said.outcomes[entry.outcome]}</span>,
    },
  ];
}

/** Short enough for a phone; the rest is behind a fold. */
const SHORT = 48;

function Target({ text }: { text: string }) {
  if (text.length <= SHORT) return <span class="target quiet small">{text}</span>;
  return (
    <details class="target quiet small">
      <summary>{text.slice(0, SHORT)}…</summary>
      {text}
    </details>
  );
}

/** Who it was, in words: people and keys by their names. */
function called(who: string, keys: Key[]): string {
  const [kind, id] = who.split(/:(.*)/s);
  if (kind === "person" && id) return id;
  if (kind === "key" && id) return keys.find((key) => key.id === id)?.name ?? who;
  return words.records.callers[who] ?? who;
}
