// How it was: charts of the minutes that this page saw, or of the hour or the day that the box remembers, and the same as figures.
import { useEffect, useMemo, useState } from "preact/hooks";
import { HISTORY, type History, type HistoryRow } from "../../api/now";
import { bytes, clock, moment, number } from "../../format";
import { later } from "../../later";
import { useAsked } from "../../parts/asked";
import { ChoiceField } from "../../parts/field";
import { Table, type Column } from "../../parts/table";
import { words } from "../../words";
import type { ChartProps, Line } from "./chart";

type Range = keyof typeof words.now.ranges;

const Chart = later<ChartProps>(() => import("./chart"));

const HOUR = 3600;

/** Milliseconds of a row of the box's. */
const MINUTE = 60_000;

export function Past({ live }: { live: HistoryRow[] }) {
  const said = words.now;
  const [range, setRange] = useState<Range>("hour");
  const history = useAsked<History>(HISTORY);
  useEffect(() => {
    const timer = setInterval(() => history.again(), MINUTE);
    return () => clearInterval(timer);
  }, []);
  // What goes on now is told each second; what was is drawn when there is more of it.
  const rows = useMemo(() => shown(range, live, history.value), [range, history.value, range === "live" && live]);
  const charts = useMemo(() => <Charts rows={rows} range={range} />, [rows]);
  return (
    <section class="stack">
      <header class="row apart">
        <h2>{said.day}</h2>
        <ChoiceField
          label={said.range}
          unseen
          value={range}
          onValue={setRange}
          options={(["live", "hour", "day"] as const).map((value) => ({ value, text: said.ranges[value] }))}
        />
      </header>
      {rows.length < 2 ? <p class="quiet">{said.noHistory}</p> : charts}
    </section>
  );
}

function shown(range: Range, live: HistoryRow[], history: History | undefined): HistoryRow[] {
  if (range === "live") return live;
  const all = history?.rows ?? [];
  return range === "day" ? all : all.slice(-Math.ceil(HOUR / (history?.step ?? 60)));
}

/** A row's figure, if it has one. */
type Of = (row: HistoryRow) => number | undefined;

function Charts({ rows, range }: { rows: HistoryRow[]; range: Range }) {
  const said = words.now;
  const times = rows.map((row) => Date.parse(row.at) / 1000);
  const line = (name: string, colour: Line["colour"], of: Of): Line => ({
    name,
    colour,
    values: rows.map((row) => of(row) ?? null),
  });
  const seconds = (value: number): string => said.seconds(number(value, value < 10 ? 1 : 0));
  const charts: Omit<ChartProps, "times">[] = [
    {
      title: said.speed,
      lines: [
        line(said.answerRate, "--ember", (row) => row.answer_rate),
        line(said.promptRate, "--blue", (row) => row.prompt_rate),
      ],
      format: (value) => number(value, value < 10 ? 1 : 0),
    },
    {
      title: said.latency,
      lines: [
        line(said.median, "--good", (row) => row.first_token_ms_p50 && row.first_token_ms_p50 / 1000),
        line(said.p95, "--warn", (row) => row.first_token_ms_p95 && row.first_token_ms_p95 / 1000),
      ],
      format: seconds,
    },
    {
      title: said.memoryChart,
      lines: [line(said.memoryChart, "--ember", (row) => row.memory)],
      format: (value) => (value > 0 && value < 1 ? "" : bytes(value)),
    },
    {
      title: said.temperature,
      lines: [line(said.temperature, "--bad", (row) => row.temperature)],
      format: (value) => said.degrees(number(value)),
    },
    {
      title: said.power,
      lines: [line(said.power, "--warn", (row) => row.power)],
      format: (value) => said.watts(number(value)),
    },
  ];
  // What was not told at all has no picture.
  const told = charts.filter(({ lines }) => lines.some(({ values }) => values.some((value) => value !== null)));
  return (
    <>
      <div class="charts">
        {told.map((chart) => (
          <Chart key={chart.title} {...chart} times={times} />
        ))}
      </div>
      <Figures rows={rows} range={range} />
    </>
  );
}

function Figures({ rows, range }: { rows: HistoryRow[]; range: Range }) {
  const said = words.now;
  const [open, setOpen] = useState(false);
  const latency = (milliseconds: number | undefined) =>
    milliseconds !== undefined && said.seconds(number(milliseconds / 1000, 2));
  const has = (of: Of): boolean => rows.some((row) => of(row) !== undefined);
  const columns: (Column<HistoryRow> | false)[] = [
    { title: said.at, heading: true, cell: (row) => (range === "day" ? moment(row.at) : clock(row.at)) },
    { title: said.answerRate, figure: true, cell: (row) => said.perSecond(number(row.answer_rate, 1)) },
    { title: said.promptRate, figure: true, cell: (row) => said.perSecond(number(row.prompt_rate, 1)) },
    { title: range === "live" ? said.requests : said.perMinute, figure: true, cell: (row) => number(row.requests) },
    has((row) => row.first_token_ms_p50) && {
      title: `${said.latency}: ${said.median}`,
      figure: true,
      cell: (row) => latency(row.first_token_ms_p50),
    },
    has((row) => row.first_token_ms_p95) && {
      title: `${said.latency}: ${said.p95}`,
      figure: true,
      cell: (row) => latency(row.first_token_ms_p95),
    },
    { title: said.memory, figure: true, cell: (row) => bytes(row.memory) },
    has((row) => row.temperature) && {
      title: said.temperature,
      figure: true,
      cell: (row) => row.temperature !== undefined && said.degrees(number(row.temperature)),
    },
    has((row) => row.power) && {
      title: said.power,
      figure: true,
      cell: (row) => row.power !== undefined && said.watts(number(row.power)),
    },
  ];
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{said.figures}</summary>
      {open && (
        <Table
          caption={said.figures}
          columns={columns.filter((column) => column !== false)}
          rows={[...rows].reverse()}
          rowKey={(row) => row.at}
          empty={said.noHistory}
        />
      )}
    </details>
  );
}
