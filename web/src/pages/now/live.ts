// What goes on, as the box tells it, and what it told since the page was opened.
import { useEffect, useState } from "preact/hooks";
import { epoch } from "../../api/client";
import { listen } from "../../api/events";
import { NOW_EVENTS, type HistoryRow, type Now } from "../../api/now";

/** Rows that are kept of what was told: some ten minutes. */
const KEPT = 600;

export interface Live {
  now: Now | undefined;
  rows: HistoryRow[];
}

export function useLive(): Live {
  const [live, setLive] = useState<Live>({ now: undefined, rows: [] });
  useEffect(
    () => listen<Now>(NOW_EVENTS, "now", (now) => setLive(({ rows }) => ({ now, rows: kept(rows, now) }))),
    [epoch.value],
  );
  return live;
}

/** One a second at most: what changed within one is told by the next. */
export function kept(rows: HistoryRow[], now: Now): HistoryRow[] {
  const last = rows.at(-1);
  if (last && Date.parse(now.at) - Date.parse(last.at) < 900) return rows;
  return [...rows.slice(1 - KEPT), row(now)];
}

function row({ at, rate, memory, requests, sensors }: Now): HistoryRow {
  return {
    at,
    answer_rate: rate.answer,
    prompt_rate: rate.prompt,
    requests: requests.length,
    memory: memory.used,
    ...sensors,
  };
}
