// Words to the reader: notices that stay in the page, and short ones that go by themselves.
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { Failure } from "../api/client";
import { words } from "../words";
import { IconButton } from "./button";
import { Icon } from "./icon";
import { Marked } from "./marked";
import "./notice.css";

interface NoticeProps {
  kind: "note" | "good" | "warning" | "bad";
  children: ComponentChildren;
}

/** A notice that stays. What is bad is read out at once. */
export function Notice({ kind, children }: NoticeProps) {
  return (
    <div class={`notice ${kind}`} role={kind === "bad" ? "alert" : "status"}>
      {(kind === "bad" || kind === "warning") && <Icon name="warning" />}
      <div>{typeof children === "string" ? <Marked text={children} /> : children}</div>
    </div>
  );
}

/** What went wrong, in a sentence for people. */
export function reason(error: unknown): string {
  if (error instanceof Failure) return error.status === 0 ? words.shell.unreachable : sentence(error.message);
  return error instanceof Error ? error.message : String(error);
}

/** What the box says begins with a small letter; a name at its beginning stays as it is. */
function sentence(text: string): string {
  return /^[a-z]+[ ,]/.test(text) ? `${text[0]!.toUpperCase()}${text.slice(1)}` : text;
}

interface Toast {
  id: number;
  kind: NoticeProps["kind"];
  text: string;
}

const toasts = signal<Toast[]>([]);
let count = 0;

/** Says something for a while; what is bad stays until it is put away. */
export function say(text: string, kind: NoticeProps["kind"] = "good"): void {
  const toast = { id: ++count, kind, text };
  toasts.value = [...toasts.value.slice(-3), toast];
  if (kind !== "bad") setTimeout(() => drop(toast.id), 5000);
}

/** Does something, and says so if it fails. Whether it was done. */
export async function trying(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    say(reason(error), "bad");
    return false;
  }
}

function drop(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

/** Where the short ones are shown; once in the page. */
export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(({ id, kind, text }) => (
        <div key={id} class={`notice ${kind}`}>
          <div>
            <Marked text={text} />
          </div>
          <IconButton icon="close" label={words.shell.close} onClick={() => drop(id)} />
        </div>
      ))}
    </div>
  );
}
