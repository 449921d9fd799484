// A conversation that is open: its messages, the answers that come, and what one can do with it. Writing it down is `keeper`'s.
import { signal } from "@preact/signals";
import { freshId, type Conversation, type Message, type Settings } from "../../api/conversations";
import { words } from "../../words";
import { Answer, type Ending } from "./answer";
import { Keeper } from "./keeper";
import { touch } from "./listing";
import { capabilitiesOf, refreshModels } from "./models";
import { chatRequest, titleOf } from "./request";
import { end, newest, pairOf, path, type Messages } from "./tree";

/** While an answer comes it is kept this often. */
const KEEP_EVERY_MS = 5000;

export class Talk {
  readonly title = signal("");
  readonly model = signal("");
  /** Another model, which is asked the same. */
  readonly second = signal<string | undefined>(undefined);
  readonly settings = signal<Settings>({});
  readonly messages = signal<Messages>(new Map());
  readonly leaf = signal<string | null>(null);
  /** Answers that come to this page just now, by their message. */
  readonly answers = signal<ReadonlyMap<string, Answer>>(new Map());
  /** What is being written, and its pictures. */
  readonly draft = signal("");
  readonly pictures = signal<readonly string[]>([]);
  /** Messages that were answered to this page: readers heard them come. */
  readonly heard = new Set<string>();
  readonly keeper: Keeper;
  /** Which of the box's revisions this is; 0 if somebody else may have written, too. */
  revision = 0;
  /** It was deleted: what still comes of it is nobody's. */
  #gone = false;

  constructor(
    readonly id: string,
    begun: boolean,
  ) {
    this.keeper = new Keeper(
      () => ({ id, title: this.title.peek(), model: this.model.peek(), settings: this.settings.peek() }),
      begun,
      ({ revision }) => (this.revision = revision === this.revision + 1 ? revision : 0),
    );
  }

  static of(conversation: Conversation): Talk {
    const talk = new Talk(conversation.id, true);
    talk.take(conversation);
    const pair = pairOf(talk.messages.peek(), talk.leaf.peek() ?? "");
    if (pair) {
      const [first, second] = pair;
      // The second is where one is only if it was chosen.
      const isChosen = talk.leaf.peek() === second.id;
      talk.model.value = (isChosen ? second : first).model ?? conversation.model;
      talk.second.value = isChosen ? undefined : second.model;
    }
    return talk;
  }

  /** Puts in place what the box has. */
  take({ title, model, settings, leaf, revision, messages }: Conversation): void {
    const known = this.messages.peek();
    this.title.value = title;
    this.settings.value = settings;
    this.revision = revision;
    if (!this.second.peek()) this.model.value = model;
    // What is the same stays the same, so that it is not drawn again.
    this.messages.value = new Map(messages.map((message) => [message.id, same(known.get(message.id), message)]));
    this.leaf.value = end(this.messages.peek(), leaf);
  }

  /** Nothing comes, and all is written down. */
  get quiet(): boolean {
    return this.answers.peek().size === 0 && this.keeper.idle;
  }

  /** Says something, and has it answered. */
  say(content: string, images: readonly string[], parent: string | null = this.leaf.peek()): void {
    if (this.messages.peek().size === 0) this.title.value = titleOf(content) || words.chat.untitled;
    const message: Message = {
      id: freshId(),
      parent,
      role: "user",
      content,
      created: now(),
      ...(images.length > 0 && { images: [...images] }),
    };
    this.#put(message);
    this.#show(message.id);
    this.keeper.message(message, true);
    this.answer(message.id);
  }

  /** Has a message answered, by both models if there are two. */
  answer(parent: string): void {
    const second = this.second.peek();
    const made = (model: string, side?: 0 | 1): Message => ({
      id: freshId(),
      parent,
      role: "assistant",
      content: "",
      model,
      state: "answering",
      created: now(),
      ...(side !== undefined && { side }),
    });
    const answers = second === undefined ? [made(this.model.peek())] : [made(this.model.peek(), 0), made(second, 1)];
    answers.forEach((answer) => this.#put(answer));
    this.#show(answers[0]!.id);
    answers.forEach((answer, index) => void this.#run(answer, index === 0));
  }

  /** Answers anew, beside what is there; in its place, if nothing came of that. */
  again(message: Message): void {
    if (message.parent === null) return;
    const nothing =
      message.content === "" && !message.thinking && (message.state === "failed" || message.state === "answering");
    if (!nothing) return this.answer(message.parent);
    const { error: _, figures: __, ...rest } = message;
    const model = message.side === 1 ? message.model : this.model.peek();
    const anew: Message = { ...rest, state: "answering", ...(model !== undefined && { model }) };
    this.#put(anew);
    this.#show(anew.id);
    void this.#run(anew, true);
  }

  /** Says something else in place of a message. */
  edit(message: Message, content: string): void {
    this.say(content, message.images ?? [], message.parent);
  }

  /** Goes to another version, and to the newest that follows it. */
  turnTo(id: string): void {
    this.#show(newest(this.messages.peek(), id));
    this.keeper.change({ leaf: this.leaf.peek() });
  }

  /** Of two answers side by side, goes on with this one and its model. */
  choose(message: Message): void {
    this.second.value = undefined;
    this.#show(message.id);
    if (message.model) this.model.value = message.model;
    this.keeper.change({ leaf: message.id, model: this.model.peek() });
  }

  /** Has other models answer from now on. */
  ask(model: string, second: string | undefined = this.second.peek()): void {
    this.model.value = model;
    this.second.value = second;
    this.keeper.change({ model });
  }

  adjust(settings: Settings): void {
    this.settings.value = settings;
    this.keeper.change({ settings });
  }

  rename(title: string): void {
    this.title.value = title;
    this.keeper.change({ title });
  }

  /** Ends what is being answered; what came of it stays. */
  stop(): void {
    this.answers.peek().forEach((answer) => answer.stop());
  }

  /** It was deleted. */
  end(): void {
    this.#gone = true;
    this.stop();
    this.keeper.end();
  }

  /** The page goes: what came so far is kept, as nothing more will come of it. */
  last(): void {
    for (const [id, answer] of this.answers.peek()) {
      const message = this.messages.peek().get(id);
      if (message) this.keeper.message(said(message, answer, { state: "failed", error: words.chat.cutOff }));
    }
    this.keeper.last();
  }

  async #run(message: Message, leaf: boolean): Promise<void> {
    const answer = new Answer();
    this.heard.add(message.id);
    this.answers.value = new Map(this.answers.peek()).set(message.id, answer);
    this.keeper.message(message, leaf);
    const keeping = setInterval(
      () => this.keeper.message(said(message, answer, { state: "answering" })),
      KEEP_EVERY_MS,
    );
    const model = message.model ?? "";
    const before = path(this.messages.peek(), message.parent);
    const ending = await answer.run(
      chatRequest({ model, capabilities: capabilitiesOf(model), settings: this.settings.peek(), said: before }),
    );
    clearInterval(keeping);
    const whole = said(message, answer, ending);
    this.#put(whole);
    const rest = new Map(this.answers.peek());
    rest.delete(message.id);
    this.answers.value = rest;
    this.keeper.message(whole);
    this.#touch();
    void refreshModels().catch(() => undefined);
  }

  #put(message: Message): void {
    this.messages.value = new Map(this.messages.peek()).set(message.id, message);
    this.#touch();
  }

  #touch(): void {
    if (!this.#gone) touch({ id: this.id, title: this.title.peek(), model: this.model.peek() });
  }

  #show(leaf: string): void {
    this.leaf.value = leaf;
  }
}

function said(message: Message, answer: Answer, ending: Ending): Message {
  const { content, thinking, calls } = answer;
  return {
    ...message,
    content,
    ...(thinking !== "" && { thinking }),
    ...(calls.length > 0 && { tool_calls: [...calls] }),
    ...ending,
  };
}

function same(known: Message | undefined, told: Message): Message {
  return known && JSON.stringify(known) === JSON.stringify(told) ? known : told;
}

const now = (): string => new Date().toISOString();
