// The entries that fit a filter: the last ones, older ones on demand, and those that come.
import { useEffect, useRef, useState } from "preact/hooks";
import { ask, epoch } from "../../api/client";
import { listen } from "../../api/events";
import { AUDIT, asking, type Entries, type Entry } from "../../api/records";
import type { Asked } from "../../parts/asked";
import { trying } from "../../parts/notice";
import { gathering, withNewer } from "./joined";

export interface Filter {
  action: string;
  who: string;
  outcome: string;
  text: string;
}

export interface Found {
  asked: Asked<Entry[]>;
  /** Lines that are not what was written. */
  damaged: number;
  /** Asks for older ones; absent if there are none. */
  more: (() => void) | undefined;
  busy: boolean;
}

const AT_ONCE = 100;

export function useEntries(filter: Filter, live: boolean): Found {
  // What is shown stays until what was asked for instead is there; only then it grows.
  const [found, setFound] = useState<Entries & { of: string }>();
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const [count, setCount] = useState(0);
  const wanted = { ...filter };
  const path = asking(`${AUDIT}/entries`, { last: AT_ONCE, ...wanted });
  const current = epoch.value;
  // What is heard while the list is asked for may be missing from the answer.
  const heard = useRef<Entry[]>(undefined);
  useEffect(() => {
    const gone = new AbortController();
    heard.current = [];
    ask<Entries>("GET", path, undefined, gone.signal).then(
      (entries) => {
        if (gone.signal.aborted) return;
        setError(undefined);
        setFound({ ...entries, of: path, entries: withNewer(entries.entries, heard.current ?? []) });
        heard.current = undefined;
      },
      (failed: unknown) => !gone.signal.aborted && setError(failed),
    );
    return () => gone.abort();
  }, [path, count, current]);

  const loaded = found?.of === path;
  useEffect(() => {
    if (!live || !loaded) return;
    const { hear, end } = gathering<Entry>((come) => {
      heard.current?.push(...come);
      setFound((found) => found && { ...found, entries: withNewer(found.entries, come) });
    });
    const stop = listen<Entry>(asking(`${AUDIT}/events`, { after: found.entries[0]?.seq, ...wanted }), "entry", hear);
    return () => {
      stop();
      end();
    };
  }, [path, live, loaded]);

  const next = found?.next;
  const more = async (): Promise<void> => {
    setBusy(true);
    await trying(async () => {
      const older = await ask<Entries>("GET", asking(`${AUDIT}/entries`, { last: AT_ONCE, before: next, ...wanted }));
      setFound((found) => {
        if (found?.of !== path) return found;
        return {
          ...older,
          of: path,
          damaged: (found.damaged ?? 0) + (older.damaged ?? 0),
          entries: withNewer(found.entries, older.entries),
        };
      });
    });
    setBusy(false);
  };
  const again = (): void => setCount((count) => count + 1);
  return {
    asked: { value: found?.entries, error, again, set: () => undefined },
    damaged: found?.damaged ?? 0,
    more: next === undefined ? undefined : () => void more(),
    busy,
  };
}
