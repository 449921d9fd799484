// What was used, by day and by whom: as bars, and the same as tables.
import { useState } from "preact/hooks";
import { KEYS, usageSince, type Key, type Usage } from "../../api/keys";
import { PEOPLE, type Person } from "../../api/people";
import { day, number } from "../../format";
import { later } from "../../later";
import { useAsked } from "../../parts/asked";
import { ChoiceField } from "../../parts/field";
import { Loaded } from "../../parts/page";
import { Table, type Column } from "../../parts/table";
import { words } from "../../words";
import { byDay, bySomebody, daysBack, sum, type Counts, type DayOfUse, type UseOfOne } from "./sums";

const Bars = later(() => import("./bars"));

type Period = keyof typeof words.keys.periods;

export function Use() {
  const said = words.keys;
  const [period, setPeriod] = useState<Period>("30");
  const [whose, setWhose] = useState("");
  const used = useAsked<Usage>(usageSince(daysBack(Number(period), Date.now())));
  const { value: known } = useAsked<{ keys: Key[] }>(KEYS);
  const { value: house } = useAsked<{ people: Person[] }>(PEOPLE);
  const called = (who: string): string => {
    if (who === "local") return said.here;
    const key = known?.keys.find((key) => key.id === who);
    const isPerson = house === undefined || house.people.some((person) => person.name === who);
    return key?.name ?? (isPerson || known === undefined ? who : said.gone(who));
  };
  return (
    <section class="stack" aria-label={said.tabs.use}>
      <Loaded of={used}>
        {(usage) => (
          <>
            <div class="pair">
              <ChoiceField
                label={said.period}
                value={period}
                onValue={setPeriod}
                options={(Object.keys(said.periods) as Period[]).map((value) => ({ value, text: said.periods[value] }))}
              />
              <ChoiceField
                label={said.whose}
                value={whose}
                onValue={setWhose}
                options={[
                  { value: "", text: said.everybody },
                  ...bySomebody(usage).map(({ who }) => ({ value: who, text: called(who) })),
                ]}
              />
            </div>
            {usage.usage.length === 0 ? (
              <p class="quiet">{said.noUse}</p>
            ) : (
              <Used usage={usage} whose={whose} called={called} />
            )}
          </>
        )}
      </Loaded>
    </section>
  );
}

function Used({ usage, whose, called }: { usage: Usage; whose: string; called: (who: string) => string }) {
  const said = words.keys;
  const days = byDay(usage, whose);
  const all = sum(days);
  return (
    <>
      <div class="card stack">
        <Bars days={days} label={said.chart(number(all.prompt_tokens), number(all.completion_tokens))} />
      </div>
      <details class="fold">
        <summary>{said.asTable}</summary>
        <Table
          caption={said.byDay}
          columns={[{ title: said.day, cell: (row: DayOfUse) => day(row.day) }, ...counts()]}
          rows={[...days].reverse()}
          rowKey={(row) => row.day}
          empty={said.noUse}
        />
      </details>
      {whose === "" && (
        <>
          <h2>{said.byWhom}</h2>
          <Table
            caption={said.byWhom}
            columns={[{ title: said.who, cell: (row: UseOfOne) => called(row.who) }, ...counts()]}
            rows={bySomebody(usage)}
            rowKey={(row) => row.who}
            empty={said.noUse}
          />
        </>
      )}
    </>
  );
}

function counts(): Column<Counts>[] {
  const said = words.keys;
  return [
    { title: said.requests, figure: true, cell: (row) => number(row.requests) },
    { title: said.prompts, figure: true, cell: (row) => number(row.prompt_tokens) },
    { title: said.answers, figure: true, cell: (row) => number(row.completion_tokens) },
  ];
}
