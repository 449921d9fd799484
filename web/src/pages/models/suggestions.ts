// Models for a beginning, of Ollama's registry: small ones that are good for their size, and run by any box.
import type { words } from "../../words";

export interface Suggestion {
  name: keyof typeof words.models.suggested;
  /** Bytes to fetch, about. */
  bytes: number;
  /** Bytes of memory with a context of usual length, about. */
  needs: number;
  /** Whether it talks. */
  talks: boolean;
}

const MB = 1_000_000;

/** By size. What each is good for is `words`'. */
export const SUGGESTIONS: Suggestion[] = [
  { name: "smollm2:135m", bytes: 271 * MB, needs: 700 * MB, talks: true },
  { name: "llama3.2:1b", bytes: 1300 * MB, needs: 2000 * MB, talks: true },
  { name: "qwen3:1.7b", bytes: 1400 * MB, needs: 2500 * MB, talks: true },
  { name: "qwen3:4b", bytes: 2500 * MB, needs: 5000 * MB, talks: true },
  { name: "qwen3:8b", bytes: 5200 * MB, needs: 9000 * MB, talks: true },
  { name: "all-minilm", bytes: 46 * MB, needs: 300 * MB, talks: false },
];

/** What to begin with: quick without a GPU, good in the reader's language, and small enough that half of what models may take is left. */
export function advised(limit: number | undefined, locale: string): Suggestion["name"] {
  const usual: Suggestion["name"] = locale.startsWith("zh") ? "qwen3:1.7b" : "llama3.2:1b";
  const { needs } = SUGGESTIONS.find(({ name }) => name === usual)!;
  return limit === undefined || needs <= limit / 2 ? usual : SUGGESTIONS[0]!.name;
}
