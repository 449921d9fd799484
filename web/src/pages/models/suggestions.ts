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
  { name: "qwen3:0.6b", bytes: 523 * MB, needs: 1500 * MB, talks: true },
  { name: "llama3.2:1b", bytes: 1300 * MB, needs: 2000 * MB, talks: true },
  { name: "qwen3:4b", bytes: 2500 * MB, needs: 5000 * MB, talks: true },
  { name: "qwen3:8b", bytes: 5200 * MB, needs: 9000 * MB, talks: true },
  { name: "all-minilm", bytes: 46 * MB, needs: 300 * MB, talks: false },
];

/** What somebody begins with whose box's memory nobody knows. */
const USUAL = "llama3.2:1b";

/** The biggest that talks and leaves half of what models may take; all of them need more than a box without a GPU is quick with. */
export function advised(limit: number | undefined): Suggestion["name"] {
  if (limit === undefined) return USUAL;
  const fit = SUGGESTIONS.filter((each) => each.talks && each.needs <= limit / 2 && each.bytes <= 2500 * MB);
  return fit.at(-1)?.name ?? SUGGESTIONS[0]!.name;
}
