// Which conversation is open, how it comes from the box, and how it stays what the box has while other windows go on with it.
import { effect, signal, untracked } from "@preact/signals";
import { epoch, Failure } from "../../api/client";
import { fetched, freshId, remove } from "../../api/conversations";
import { me } from "../../api/box";
import { go, place } from "../../place";
import { words } from "../../words";
import { reason } from "../../parts/notice";
import { drop, forgetList, refreshList } from "./listing";
import { refreshModels, remember } from "./models";
import { Talk } from "./talk";

/** What is open: a conversation, or why it is not. */
type Opened = { talk: Talk } | { waits: true } | { failed: string };

export const opened = signal<Opened>({ waits: true });

/** Those that are not to be forgotten, as something goes on in them, and the one that nothing was said in yet. */
const held = new Map<string, Talk>();
let fresh = new Talk(freshId(), false);
/** What the address says is open. */
let wanted: string | undefined;

/** The conversation at this path, or a new one. */
export function openAt(path: string): void {
  const id = path.startsWith("/chat/") ? named(path.slice("/chat/".length)) : undefined;
  leave();
  wanted = id;
  if (id === undefined) {
    opened.value = { talk: fresh };
    return;
  }
  const known = held.get(id);
  if (known) {
    opened.value = { talk: known };
    void refresh();
    return;
  }
  opened.value = { waits: true };
  void load(id);
}

/** What an address names; one that is none names nothing that is there. */
function named(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function load(id: string): Promise<void> {
  try {
    const talk = Talk.of(await fetched(id));
    if (wanted !== id) return;
    held.set(id, talk);
    opened.value = { talk };
  } catch (error) {
    if (wanted === id)
      opened.value = { failed: error instanceof Failure && error.status === 404 ? words.chat.unknown : reason(error) };
  }
}

/** The open one is left: it is kept in mind if something goes on in it. */
function leave(): void {
  for (const [id, talk] of held)
    if (talk.quiet && talk.draft.peek() === "" && talk.pictures.peek().length === 0) held.delete(id);
}

/** Says something in the open conversation, which begins with it if it is new. */
export function say(talk: Talk, content: string, pictures: readonly string[]): void {
  held.set(talk.id, talk);
  remember(talk.model.peek());
  talk.say(content, pictures);
  if (talk !== fresh) return;
  fresh = new Talk(freshId(), false);
  wanted = talk.id;
  go(`/chat/${talk.id}`, true);
}

/** Asks the box what is new: in the list, and in the open conversation, unless something goes on in it here. */
export async function refresh(): Promise<void> {
  const rows = await refreshList();
  const open = opened.peek();
  if ("failed" in open && wanted !== undefined) return load(wanted);
  if (!("talk" in open) || open.talk === fresh || !open.talk.quiet) return;
  const { talk } = open;
  // Pictures make it long; it is fetched only if there is something new in it.
  const row = rows.find((each) => each.id === talk.id);
  const { revision } = talk;
  if (row && row.revision === revision) return;
  try {
    const conversation = await fetched(talk.id);
    // Unless it was gone on with here meanwhile.
    if (talk.quiet && talk.revision === revision) talk.take(conversation);
  } catch (error) {
    if (error instanceof Failure && error.status === 404 && wanted === talk.id)
      opened.value = { failed: words.chat.unknown };
  }
}

/** Deletes one; who is in it gets a new one. */
export async function removeOne(id: string): Promise<void> {
  const talk = held.get(id);
  talk?.stop();
  await remove(id);
  talk?.end();
  held.delete(id);
  drop(id);
  if (wanted === id) go("/");
}

/** All were deleted. */
export function forgetAll(): void {
  for (const talk of held.values()) talk.end();
  held.clear();
  if (wanted !== undefined) go("/");
  void refreshList();
}

/** What the page does while it is shown: asks anew when one comes back to it, or the box does. Ends it. */
export function stayCurrent(): () => void {
  const anew = (): void => {
    if (document.hidden || !me.peek()) return;
    void refreshModels().catch(() => undefined);
    void refresh();
  };
  const dispose = effect(() => {
    void epoch.value;
    if (me.value) queueMicrotask(anew);
  });
  document.addEventListener("visibilitychange", anew);
  addEventListener("focus", anew);
  return () => {
    dispose();
    document.removeEventListener("visibilitychange", anew);
    removeEventListener("focus", anew);
  };
}

let owner: string | undefined;

/** Whoever signs in again finds what they left; of what somebody else left, nobody finds anything. */
function belong(name: string | undefined): void {
  // While nobody is there it waits for whoever comes.
  if (name === undefined) return;
  if (owner === undefined || name === owner) {
    owner = name;
    fresh.keeper.again();
    held.forEach((talk) => talk.keeper.again());
    return;
  }
  owner = name;
  held.forEach((talk) => talk.stop());
  held.clear();
  forgetList();
  fresh = new Talk(freshId(), false);
  wanted = undefined;
  opened.value = { talk: fresh };
  if (place.peek().path.startsWith("/chat/")) go("/", true);
}

// Before anything of the chat is drawn for them.
effect(() => {
  const name = me.value?.name;
  untracked(() => belong(name));
});

// Answers go on while one looks at other pages, so this is for as long as the window is there.
addEventListener("pagehide", () => held.forEach((talk) => talk.last()));
