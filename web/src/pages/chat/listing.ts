// The conversations in the list at the side: those that were fetched so far, and what was searched for.
import { signal } from "@preact/signals";
import { listed, type Listed } from "../../api/conversations";
import { reason } from "../../parts/notice";

export const conversations = signal<readonly Listed[] | undefined>(undefined);
export const search = signal("");
export const failed = signal<string | undefined>(undefined);
/** Where the list goes on. */
export const next = signal<string | undefined>(undefined);

let gone = new AbortController();
/** Where the list goes on, if asking for that came to nothing. */
let stalled: string | undefined;

/** Asks for the newest ones anew, and tells them. */
export async function refreshList(): Promise<readonly Listed[]> {
  gone.abort();
  gone = new AbortController();
  const { signal } = gone;
  try {
    const listing = await listed(search.peek().trim(), undefined, signal);
    if (signal.aborted) return listing.conversations;
    const after = search.peek().trim() === "" && listing.next !== undefined ? older(listing.conversations) : [];
    conversations.value = [...listing.conversations, ...after];
    next.value = after.length === 0 ? listing.next : (next.peek() ?? stalled);
    stalled = undefined;
    failed.value = undefined;
    return listing.conversations;
  } catch (error) {
    if (!signal.aborted) failed.value = reason(error);
    return [];
  }
}

/** What was fetched before of what comes after these: who scrolled down stays there. */
function older(newest: readonly Listed[]): readonly Listed[] {
  const last = newest.at(-1);
  const known = conversations.peek() ?? [];
  const at = last ? known.findIndex((each) => each.id === last.id) : -1;
  if (at < 0) return [];
  const fresh = new Set(newest.map((each) => each.id));
  return known.slice(at + 1).filter((each) => !fresh.has(each.id));
}

/** Asks for more. */
export async function more(): Promise<void> {
  const before = next.peek();
  const { signal } = gone;
  if (before === undefined || signal.aborted) return;
  next.value = undefined;
  try {
    const listing = await listed(search.peek().trim(), before, signal);
    if (signal.aborted) {
      stalled = before;
      return;
    }
    const known = conversations.peek() ?? [];
    const fresh = new Set(known.map((each) => each.id));
    conversations.value = [...known, ...listing.conversations.filter((each) => !fresh.has(each.id))];
    next.value = listing.next;
  } catch (error) {
    stalled = before;
    if (!signal.aborted) failed.value = reason(error);
  }
}

/** A conversation goes on: it stands at the top. */
export function touch(changed: Pick<Listed, "id" | "title" | "model">): void {
  const known = conversations.peek();
  if (!known || search.peek() !== "") return;
  const now = new Date().toISOString();
  const before = known.find((each) => each.id === changed.id) ?? { created: now, revision: 0, messages: 0 };
  conversations.value = [{ ...before, ...changed, updated: now }, ...known.filter((each) => each.id !== changed.id)];
}

/** What was changed about one that stays where it is. */
export function retitle(id: string, title: string): void {
  conversations.value = conversations.peek()?.map((each) => (each.id === id ? { ...each, title } : each));
}

/** Nothing of it is for whoever comes next. */
export function forgetList(): void {
  gone.abort();
  conversations.value = undefined;
  search.value = "";
  failed.value = next.value = stalled = undefined;
}

export function drop(id: string): void {
  conversations.value = conversations.peek()?.filter((each) => each.id !== id);
}

const DAY_MS = 86_400_000;

export type Period = "today" | "yesterday" | "week" | "older";

/** When a conversation was last spoken in, as one remembers it. */
export function period(updated: string, now: Date): Period {
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime();
  const at = Date.parse(updated);
  if (at >= midnight) return "today";
  if (at >= midnight - DAY_MS) return "yesterday";
  return at >= midnight - 7 * DAY_MS ? "week" : "older";
}
