// What a page shows of the box: asked for when it is shown, and again when the box is back or something changed.
import { useEffect, useState } from "preact/hooks";
import { ask, epoch } from "../api/client";

export interface Asked<T> {
  value: T | undefined;
  error: unknown;
  /** Asks once more; what is shown stays until the answer is there. */
  again: () => void;
  /** Puts in place what an answer to something else told. */
  set: (value: T) => void;
}

/** Asks for `path`; nothing if there is none. */
export function useAsked<T>(path: string | undefined): Asked<T> {
  const [value, set] = useState<T>();
  const [error, setError] = useState<unknown>();
  const [count, setCount] = useState(0);
  const current = epoch.value;
  useEffect(() => {
    if (path === undefined) return;
    const gone = new AbortController();
    ask<T>("GET", path, undefined, gone.signal).then(
      (answer) => {
        if (gone.signal.aborted) return;
        set(() => answer);
        setError(undefined);
      },
      (failed: unknown) => {
        if (!gone.signal.aborted) setError(failed);
      },
    );
    return () => gone.abort();
  }, [path, count, current]);
  return { value, error, again: () => setCount((count) => count + 1), set: (value) => set(() => value) };
}
