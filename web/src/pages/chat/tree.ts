// The messages of a conversation are a tree: what was edited or answered again stands beside what was there before. Pure.
import type { Message } from "../../api/conversations";

export type Messages = ReadonlyMap<string, Message>;

/** What follows a message, or begins, in the order in which it was said. */
export function children(messages: Messages, parent: string | null): Message[] {
  return [...messages.values()].filter((message) => message.parent === parent);
}

/** From the first message to this one. */
export function path(messages: Messages, leaf: string | null): Message[] {
  const found: Message[] = [];
  const seen = new Set<string>();
  for (let id = leaf; id !== null && !seen.has(id);) {
    seen.add(id);
    const message = messages.get(id);
    if (!message) break;
    found.push(message);
    id = message.parent;
  }
  return found.reverse();
}

/** The newest end of what follows a message: where one is taken who goes to it. */
export function newest(messages: Messages, from: string): string {
  let id = from;
  for (let steps = 0; steps <= messages.size; steps += 1) {
    const next = children(messages, id).at(-1);
    if (!next) break;
    // Of two that were asked side by side, the first: both are shown.
    const pair = pairOf(messages, next.id);
    id = pair ? pair[0].id : next.id;
  }
  return id;
}

/** The end of the whole conversation: what was looked at last, if that is known. */
export function end(messages: Messages, leaf: string | null): string | null {
  if (leaf !== null && messages.has(leaf)) return leaf;
  const first = children(messages, null).at(-1);
  return first ? newest(messages, first.id) : null;
}

/** Two answers of two models to the same question, asked together; of one of them, both. */
export function pairOf(messages: Messages, id: string): [Message, Message] | undefined {
  const message = messages.get(id);
  if (message?.side === undefined) return undefined;
  const beside = children(messages, message.parent);
  const at = beside.findIndex((each) => each.id === id);
  const [first, second] = message.side === 0 ? [message, beside[at + 1]] : [beside[at - 1], message];
  return first?.side === 0 && second?.side === 1 ? [first, second] : undefined;
}

/** Of two side by side, the one that was gone on with; none, as long as both are asked. */
export function chosenOf(
  messages: Messages,
  leaf: string | null,
  pair: [Message, Message],
  asksBoth: boolean,
): string | undefined {
  if (asksBoth && pair.some((message) => message.id === leaf)) return undefined;
  const shown = new Set(path(messages, leaf).map((message) => message.id));
  return pair.find((message) => shown.has(message.id))?.id;
}

/** What stands in a message's place, each as one who goes there sees it: two side by side are one. */
interface Versions {
  at: number;
  ids: string[];
}

/** The versions of a message; `whole` if two side by side are to be seen as one. */
export function versions(messages: Messages, id: string, whole: boolean): Versions {
  const message = messages.get(id);
  const beside = children(messages, message?.parent ?? null);
  const shown = beside.filter((each) => !(whole && each.side === 1 && pairOf(messages, each.id)));
  const sought = whole ? (pairOf(messages, id)?.[0].id ?? id) : id;
  return { at: shown.findIndex((each) => each.id === sought), ids: shown.map((each) => each.id) };
}
