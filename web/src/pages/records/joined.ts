// How what comes live is put to what is there already. Pure.
import type { Entry, Line } from "../../api/records";

/** Entries, the newest first, with those that came; none is there twice. */
export function withNewer(known: Entry[], come: Entry[]): Entry[] {
  const fresh = come.filter((entry) => !known.some((other) => other.seq === entry.seq));
  return fresh.length === 0 ? known : [...fresh, ...known].sort((one, other) => other.seq - one.seq);
}

/** Lines, the oldest first, with those that came, and so many at most. A daemon that began anew counts from 1. */
export function withLater(known: Line[], come: Line[], most: number): Line[] {
  const all = [...known];
  for (const line of come) {
    const last = all.at(-1);
    if (!last || line.n > last.n || line.at > last.at) all.push(line);
  }
  return all.slice(-most);
}

/** Gathers what comes one by one, and hands it on now and then. Returns how it is heard, and how it ends. */
export function gathering<T>(hand: (come: T[]) => void, everyMs = 100): { hear: (one: T) => void; end: () => void } {
  let come: T[] = [];
  let soon: ReturnType<typeof setTimeout> | undefined;
  return {
    hear: (one) => {
      come.push(one);
      soon ??= setTimeout(() => {
        soon = undefined;
        const all = come;
        come = [];
        hand(all);
      }, everyMs);
    },
    end: () => clearTimeout(soon),
  };
}
