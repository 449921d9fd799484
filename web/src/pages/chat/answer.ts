// One answer as it comes: asks the model, gathers what it says, and tells once a frame that there is more.
import { signal } from "@preact/signals";
import { Failure, lost, open } from "../../api/client";
import type { Message, ToolCall } from "../../api/conversations";
import { lines } from "../../api/events";
import { reason } from "../../parts/notice";
import { words } from "../../words";
import { figures, type ChatLine, type ChatRequest } from "./request";

/** The box's words where an owner stopped the request. */
const STOPPED_ON_NOW = "the owner of this box stopped";

/** How an answer ended. */
export type Ending = Pick<Message, "state" | "error" | "ended" | "figures">;

export class Answer {
  /** Counts up as there is more to show. */
  readonly version = signal(0);
  content = "";
  thinking = "";
  readonly calls: ToolCall[] = [];
  readonly #gone = new AbortController();
  readonly #frames = new Frames(() => (this.version.value += 1));

  get begun(): boolean {
    return this.content !== "" || this.thinking !== "" || this.calls.length > 0;
  }

  stop(): void {
    this.#gone.abort();
  }

  /** Asks, and gathers the answer until it ends, however that is. */
  async run(request: ChatRequest): Promise<Ending> {
    const asked = performance.now();
    let first: number | undefined;
    let last: ChatLine | undefined;
    let ending: Ending;
    try {
      const response = await open("POST", "/api/chat", { body: request, signal: this.#gone.signal });
      for await (const line of lines<ChatLine>(response)) {
        if (line.error !== undefined) throw new Failure(response.status, line.error);
        if (this.#take(line)) first ??= performance.now();
        if (line.done) last = line;
      }
      ending = last
        ? { state: "whole", ...(last.done_reason === "length" && { ended: "length" as const }) }
        : { state: "failed", error: words.chat.endedEarly };
    } catch (error) {
      ending = this.#gone.signal.aborted ? { state: "stopped" } : { state: "failed", error: why(error) };
    }
    this.#frames.end();
    return { ...ending, figures: figures(last ?? {}, { asked, first, ended: performance.now() }) };
  }

  /** Whether the line said anything. */
  #take({ message }: ChatLine): boolean {
    const { content = "", thinking = "", tool_calls: calls = [] } = message ?? {};
    if (content === "" && thinking === "" && calls.length === 0) return false;
    this.content += content;
    this.thinking += thinking;
    this.calls.push(...calls);
    this.#frames.want();
    return true;
  }
}

function why(error: unknown): string {
  if (error instanceof Failure && error.message.includes(STOPPED_ON_NOW)) return words.chat.stoppedOnNow;
  if (error instanceof Failure) return reason(error);
  // A line that broke off is no JSON; else the connection did.
  if (error instanceof SyntaxError) return words.chat.endedEarly;
  lost();
  return words.chat.lostAnswer;
}

/** Has something drawn as often as there is time: once a frame, and never more than a third of the time. */
class Frames {
  #wanted = false;
  #ended = false;
  #restUntil = 0;

  constructor(private readonly draw: () => void) {}

  want(): void {
    if (this.#wanted || this.#ended) return;
    this.#wanted = true;
    const rest = this.#restUntil - performance.now();
    if (document.hidden) setTimeout(() => this.#frame(), 1000);
    else if (rest > 0) setTimeout(() => requestAnimationFrame(() => this.#frame()), rest);
    else requestAnimationFrame(() => this.#frame());
  }

  end(): void {
    this.#ended = true;
  }

  #frame(): void {
    this.#wanted = false;
    if (this.#ended) return;
    const begun = performance.now();
    this.draw();
    // By then it is on the screen.
    setTimeout(() => (this.#restUntil = performance.now() + 2 * (performance.now() - begun)));
  }
}
