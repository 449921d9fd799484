// What is talked about with models, as the box keeps it for each person: a conversation is a tree of messages.
import { ask, open } from "./client";

/** How a model is asked in one conversation. What is absent is as the model has it. */
export interface Settings {
  system?: string;
  options?: Options;
  think?: boolean | "low" | "medium" | "high" | "max";
  keep_alive?: string | number;
}

export interface Options {
  temperature?: number;
  top_p?: number;
  num_predict?: number;
  num_ctx?: number;
  seed?: number;
}

export interface ToolCall {
  id?: string;
  function: { name: string; arguments: Record<string, unknown> };
}

/** Those that can be shown: what another program kept may be anything. */
export function readable(calls: readonly unknown[] | null | undefined): ToolCall[] {
  return (Array.isArray(calls) ? calls : []).filter(
    (call): call is ToolCall => typeof (call as ToolCall | null)?.function?.name === "string",
  );
}

export interface Figures {
  prompt_tokens?: number;
  tokens?: number;
  tokens_per_second?: number;
  first_token_ms?: number;
  total_ms?: number;
}

export interface Message {
  id: string;
  /** What it follows; nothing, if it is the first. */
  parent: string | null;
  role: "user" | "assistant" | "tool" | "system";
  content: string;
  thinking?: string;
  tool_calls?: ToolCall[];
  /** As `data:` addresses. */
  images?: string[];
  model?: string;
  state?: "whole" | "stopped" | "failed" | "answering";
  error?: string;
  /** What a whole answer ended by, if not by itself. */
  ended?: "length";
  figures?: Figures;
  /** Of two models that were asked the same: which. */
  side?: 0 | 1;
  created: string;
}

export interface Conversation {
  id: string;
  title: string;
  model: string;
  settings: Settings;
  /** The message that was looked at last; its forebears are what is shown. */
  leaf: string | null;
  created: string;
  updated: string;
  /** Counts what was written of it. */
  revision: number;
  messages: Message[];
}

/** A conversation in the list. */
export interface Listed {
  id: string;
  title: string;
  model: string;
  created: string;
  updated: string;
  revision: number;
  messages: number;
  /** Where what was searched for stands, if in what was said. */
  found?: string;
}

export interface Listing {
  conversations: Listed[];
  /** Where the list goes on. */
  next?: string;
}

/** What the box says of a conversation that it wrote down. */
export type Kept = Pick<Conversation, "revision">;

const ALL = "/admin/api/conversations";

/** Where all of them can be fetched, a line each. */
export const EXPORT = `${ALL}/export`;

const at = (id: string): string => `${ALL}/${encodeURIComponent(id)}`;

export function listed(search: string, before?: string, gone?: AbortSignal): Promise<Listing> {
  const query = new URLSearchParams({ ...(search !== "" && { search }), ...(before && { before }) }).toString();
  return ask("GET", query === "" ? ALL : `${ALL}?${query}`, undefined, gone);
}

export const fetched = (id: string, gone?: AbortSignal): Promise<Conversation> => ask("GET", at(id), undefined, gone);

/** Begins one. Asked again with the same id, it is the same. */
export const begin = (begun: Pick<Conversation, "id" | "title" | "model" | "settings">): Promise<Kept> =>
  ask("POST", ALL, begun);

export const change = (
  id: string,
  changed: Partial<Pick<Conversation, "title" | "model" | "settings" | "leaf">>,
): Promise<Kept> => ask("PATCH", at(id), changed);

export const remove = (id: string): Promise<void> => ask("DELETE", at(id));

export const removeAll = (): Promise<void> => ask("DELETE", ALL);

/** Bytes that browsers send for a page that is gone already. */
const MOST_KEPT_ALIVE = 60_000;

/** Keeps a message; `last` if the page is about to go, when only a short one can be. */
export async function keep(
  conversation: string,
  message: Message,
  leaf: boolean,
  last = false,
): Promise<Kept | undefined> {
  const { id, created: _, ...said } = message;
  const body = { ...said, ...(leaf && { leaf }) };
  if (
    last &&
    JSON.stringify(body).length * 3 > MOST_KEPT_ALIVE &&
    new Blob([JSON.stringify(body)]).size > MOST_KEPT_ALIVE
  )
    return undefined;
  const response = await open("PUT", `${at(conversation)}/messages/${encodeURIComponent(id)}`, {
    body,
    keepalive: last,
  });
  return (await response.json()) as Kept;
}

/** A name that nothing else has. */
export function freshId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
