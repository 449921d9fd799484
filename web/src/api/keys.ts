// Keys of programs and people, and what was used by whom.
import type { Scope } from "./box";
import { ask } from "./client";

export type Priority = "low" | "normal" | "high";

/** How much a key may at most; what is null is not limited. */
export interface Limits {
  requests_per_minute: number | null;
  concurrent: number | null;
  tokens_per_day: number | null;
  tokens_per_month: number | null;
  max_context: number | null;
  max_output: number | null;
}

export interface Key extends Limits {
  id: string;
  name: string;
  /** Its first and last characters. */
  shown: string;
  scopes: Scope[];
  /** All, if empty. */
  models: string[];
  priority: Priority;
  /** Anywhere, if empty. */
  networks: string[];
  created: string;
  expires: string | null;
  last_used: string | null;
}

/** A key with its text, which is told this once. */
export interface NewKey extends Key {
  key: string;
}

export interface WantedKey extends Partial<Limits> {
  name: string;
  scopes: Scope[];
  models?: string[];
  networks?: string[];
  priority?: Priority;
  /** A moment, or a span as `30d`. */
  expires?: string;
  confirm?: string;
}

export const KEYS = "/admin/api/keys";

export const makeKey = (wanted: WantedKey): Promise<NewKey> => ask("POST", KEYS, wanted);

export const rotateKey = (id: string, confirm: string | undefined): Promise<NewKey> =>
  ask("POST", `${KEYS}/${id}/rotate`, { confirm });

export const revokeKey = (id: string): Promise<void> => ask("DELETE", `${KEYS}/${id}`);

/** What somebody used on a day, by UTC. */
export interface Use {
  day: string;
  /** A key's id, a person's name, or `local`. */
  who: string;
  requests: number;
  prompt_tokens: number;
  completion_tokens: number;
}

export interface Usage {
  from: string;
  to: string;
  usage: Use[];
}

export const usageSince = (from: string): string => `/admin/api/usage?from=${from}`;
