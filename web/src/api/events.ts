// What the box says as it happens: lines of JSON of one answer, and events that go on for as long as somebody looks.
import { meet } from "./box";
import { lost } from "./client";

/** The objects of a body that has one a line, as they come. */
export async function* lines<T>(response: Response): AsyncGenerator<T> {
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const parts = (rest + value).split("\n");
      rest = parts.pop() ?? "";
      for (const part of parts) if (part.trim() !== "") yield JSON.parse(part) as T;
    }
    if (rest.trim() !== "") yield JSON.parse(rest) as T;
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}

/** Until a stream that was refused is asked for again; each time longer. */
const FIRST_WAIT_MS = 2000;
const LONGEST_WAIT_MS = 30_000;

/** Listens at `path` for events of that name until the function that is returned is called. It goes on when the box is back. */
export function listen<T>(path: string, name: string, hear: (data: T) => void): () => void {
  let source: EventSource | undefined;
  let again: ReturnType<typeof setTimeout> | undefined;
  let wait = FIRST_WAIT_MS;
  const start = (): void => {
    source = new EventSource(path);
    source.addEventListener("open", () => (wait = FIRST_WAIT_MS));
    source.addEventListener(name, (event: MessageEvent<string>) => hear(JSON.parse(event.data) as T));
    source.addEventListener("error", () => {
      // Whoever looks is told that what they see may be old by now; a browser asks again by itself after what was no refusal.
      if (source?.readyState !== EventSource.CLOSED) return lost();
      // A box that refuses is there, and may say that nobody is signed in; one that is not is looked for by whoever asks.
      void meet().catch(() => undefined);
      again = setTimeout(start, wait);
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    });
  };
  start();
  return () => {
    clearTimeout(again);
    source?.close();
  };
}
