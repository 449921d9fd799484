// What a model says of itself. Ollama's API asks by POST, so it is not `useAsked`'s.
import { useEffect, useState } from "preact/hooks";
import { epoch } from "../../api/client";
import { show, type Shown } from "../../api/models";
import type { Asked } from "../../parts/asked";

export function useShown(name: string): Asked<Shown> {
  const [value, set] = useState<Shown>();
  const [error, setError] = useState<unknown>();
  const [count, setCount] = useState(0);
  const current = epoch.value;
  useEffect(() => {
    const gone = new AbortController();
    show(name, gone.signal).then(
      (answer) => {
        if (gone.signal.aborted) return;
        set(answer);
        setError(undefined);
      },
      (failed: unknown) => {
        if (!gone.signal.aborted) setError(failed);
      },
    );
    return () => gone.abort();
  }, [name, count, current]);
  return { value, error, again: () => setCount((count) => count + 1), set };
}
