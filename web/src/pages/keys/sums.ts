// What was used, added up by day or by whom.
import type { Usage } from "../../api/keys";

export interface Counts {
  requests: number;
  prompt_tokens: number;
  completion_tokens: number;
}

export interface DayOfUse extends Counts {
  day: string;
}

export interface UseOfOne extends Counts {
  who: string;
}

const NOTHING: Counts = { requests: 0, prompt_tokens: 0, completion_tokens: 0 };
const DAY_MS = 86_400_000;

/** The first of so many days that end today, by UTC. */
export function daysBack(days: number, now: number): string {
  return written(now - (days - 1) * DAY_MS);
}

/** Each day of the time asked for, also where nothing was; of one alone, if one is named. */
export function byDay({ from, to, usage }: Usage, whose = ""): DayOfUse[] {
  const days = new Map<string, Counts>();
  for (let at = Date.parse(from); at <= Date.parse(to); at += DAY_MS) days.set(written(at), NOTHING);
  for (const use of usage)
    if (whose === "" || use.who === whose) days.set(use.day, plus(days.get(use.day) ?? NOTHING, use));
  return [...days].map(([day, counts]) => ({ day, ...counts }));
}

/** Each who used something, the most first. */
export function bySomebody({ usage }: Usage): UseOfOne[] {
  const all = new Map<string, Counts>();
  for (const use of usage) all.set(use.who, plus(all.get(use.who) ?? NOTHING, use));
  const tokens = (counts: Counts): number => counts.prompt_tokens + counts.completion_tokens;
  return [...all].map(([who, counts]) => ({ who, ...counts })).sort((one, other) => tokens(other) - tokens(one));
}

export function sum(counts: Counts[]): Counts {
  return counts.reduce(plus, NOTHING);
}

function plus(one: Counts, other: Counts): Counts {
  return {
    requests: one.requests + other.requests,
    prompt_tokens: one.prompt_tokens + other.prompt_tokens,
    completion_tokens: one.completion_tokens + other.completion_tokens,
  };
}

function written(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}
