// A value that is typed, once it stands still for a moment: the box is not asked at each letter.
import { useEffect, useState } from "preact/hooks";

const STILL_MS = 300;

export function useSettled<T>(value: T): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const still = setTimeout(() => setSettled(value), STILL_MS);
    return () => clearTimeout(still);
  }, [value]);
  return settled;
}
