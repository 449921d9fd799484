// Markdown as text until what reads it has come: it is not needed before something was said.
import { signal } from "@preact/signals";
import type { ComponentType } from "preact";
import type { MarkdownProps } from "./markdown";

const reader = signal<ComponentType<MarkdownProps> | undefined>(undefined);
let asked = false;

/** Fetches it, if nobody has. */
export function fetchMarkdown(): void {
  if (asked) return;
  asked = true;
  import("./markdown").then(
    (module) => (reader.value = module.Markdown),
    // As text it can be read as well; the next answer asks again.
    () => (asked = false),
  );
}

export function MarkdownLate(props: MarkdownProps) {
  const Markdown = reader.value;
  if (Markdown) return <Markdown {...props} />;
  fetchMarkdown();
  return <p style={{ whiteSpace: "pre-wrap" }}>{props.text}</p>;
}
