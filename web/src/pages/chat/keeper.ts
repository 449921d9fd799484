// Writes one conversation down on the box, in the order in which things are said, and goes on once the box is back.
import { effect, signal } from "@preact/signals";
import { begin, change, keep, type Conversation, type Kept, type Message } from "../../api/conversations";
import { me } from "../../api/box";
import { epoch, Failure } from "../../api/client";
import { reason } from "../../parts/notice";

type Head = Pick<Conversation, "id" | "title" | "model" | "settings">;
type Change = Partial<Pick<Conversation, "title" | "model" | "settings" | "leaf">>;

/** Until it is tried again, if the box does not say that it is back. */
const RETRY_MS = 5000;

export class Keeper {
  /** Why it cannot be kept just now. */
  readonly trouble = signal<string | undefined>(undefined);
  readonly #messages = new Map<string, { message: Message; leaf: boolean }>();
  #change: Change | undefined;
  #working = false;
  /** There is more to do than when the work began. */
  #more = false;
  #ended = false;
  /** Whose it is: whoever signs in after them at this window gets none of it. */
  #owner: string | undefined;

  /** `begun` if the box knows the conversation. What the box says when something was written goes to `kept`. */
  constructor(
    private readonly head: () => Head,
    private begun: boolean,
    private readonly kept: (kept: Kept) => void,
  ) {}

  /** Whether all is written down. */
  get idle(): boolean {
    return !this.#working && this.#messages.size === 0 && this.#change === undefined;
  }

  /** Keeps a message, in place of what was to be kept of it before. */
  message(message: Message, leaf = false): void {
    this.#owner ??= me.peek()?.name;
    const before = this.#messages.get(message.id);
    this.#messages.set(message.id, { message, leaf: leaf || (before?.leaf ?? false) });
    // What is said is gone on from, whatever was to be looked at before.
    if (leaf && this.#change) {
      const { leaf: _, ...rest } = this.#change;
      this.#change = Object.keys(rest).length > 0 ? rest : undefined;
    }
    void this.#work();
  }

  /** Keeps what is different about the conversation; one that has not begun begins so. */
  change(changed: Change): void {
    if (!this.begun && this.#messages.size === 0) return;
    this.#owner ??= me.peek()?.name;
    this.#change = { ...this.#change, ...changed };
    void this.#work();
  }

  /** Keeps nothing any more: it was deleted. */
  end(): void {
    this.#ended = true;
    this.#messages.clear();
    this.#change = undefined;
  }

  /** Tries again at once. */
  again(): void {
    void this.#work();
  }

  /** The page goes: sends what can still be sent, without an answer. */
  last(): void {
    if (this.#ended || !this.begun || me.peek()?.name !== this.#owner) return;
    for (const { message, leaf } of this.#messages.values())
      void keep(this.head().id, message, leaf, true).catch(() => undefined);
  }

  async #work(): Promise<void> {
    this.#more = true;
    if (this.#working) return;
    this.#working = true;
    try {
      while (this.#more) {
        this.#more = false;
        while (await this.#step());
      }
    } finally {
      this.#working = false;
    }
  }

  /** Writes one thing; whether to go on. */
  async #step(): Promise<boolean> {
    const [first] = this.#messages;
    const changed = this.#change;
    if (this.#ended || (!first && !changed) || me.peek()?.name !== this.#owner) return false;
    try {
      if (!this.begun) {
        this.kept(await begin(this.head()));
        this.begun = true;
      } else if (first) {
        const [id, kept] = first;
        const told = await keep(this.head().id, kept.message, kept.leaf);
        if (told) this.kept(told);
        // Unless there is more of it by now.
        if (this.#messages.get(id) === kept) this.#messages.delete(id);
      } else if (changed) {
        this.kept(await change(this.head().id, changed));
        if (this.#change === changed) this.#change = undefined;
      }
      this.trouble.value = undefined;
      return true;
    } catch (error) {
      if (this.#ended) return false;
      // That the box is gone is said at the head of the page.
      this.trouble.value = error instanceof Failure && error.status === 0 ? undefined : reason(error);
      const passes = error instanceof Failure && (error.status === 0 || error.status >= 500 || error.status === 429);
      if (!passes) return false;
      await untilBack();
      return true;
    }
  }
}

/** Waits until the box is there again, or for some seconds. */
function untilBack(): Promise<void> {
  const now = epoch.peek();
  return new Promise((resolve) => {
    const timer = setTimeout(done, RETRY_MS);
    const dispose = effect(() => {
      if (epoch.value !== now) queueMicrotask(done);
    });
    function done(): void {
      clearTimeout(timer);
      dispose();
      resolve();
    }
  });
}
