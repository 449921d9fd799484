// What the box says as it happens: lines of JSON of one answer, and events that go on for as long as somebody looks.
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

/** Listens at `path` for events of that name until the function that is returned is called. It goes on when the box is back. */
export function listen<T>(path: string, name: string, hear: (data: T) => void): () => void {
  let source: EventSource | undefined;
  let again: ReturnType<typeof setTimeout> | undefined;
  const start = (): void => {
    source = new EventSource(path);
    source.addEventListener(name, (event: MessageEvent<string>) => hear(JSON.parse(event.data) as T));
    source.addEventListener("error", () => {
      // Whoever looks is told that what they see may be old by now.
      lost();
      // A browser asks again by itself only after what was no refusal.
      if (source?.readyState !== EventSource.CLOSED) return;
      again = setTimeout(start, 2000);
    });
  };
  start();
  return () => {
    clearTimeout(again);
    source?.close();
  };
}
