// What goes on in the box, as it happens, and the last day. Bytes, tokens a second, degrees Celsius, watts.
import { ask } from "./client";

export interface Taken {
  name: string;
  weights: number;
  /** The KV cache. */
  cache: number;
  compute: number;
  /** Beginnings of conversations that are kept outside the KV cache. */
  prefixes: number;
  /** The process, and what else there is. */
  rest: number;
  by: "estimated" | "measured";
  state: string;
}

export interface Memory {
  machine?: number;
  /** What could be had without swapping. */
  available?: number;
  /** What models may take together. */
  limit?: number;
  used: number;
  /** Of models that are gone, and whose processes are not. */
  leaving: number;
  models: Taken[];
  lent?: { to: string; size: number };
}

export interface NowModel {
  name: string;
  state: "absent" | "loading" | "loaded" | "resting" | "quarantined";
  reason?: string;
  running: number;
  held: number;
  waiting: number;
  /** Seconds. */
  longest_wait?: number;
  context?: number;
  sequences?: number;
  /** `null` if it stays; absent if it is not in memory. */
  expires?: string | null;
  device?: string;
}

export interface NowRequest {
  id: string;
  model: string;
  who: string;
  kind: string;
  since: string;
  state: "waiting" | "loading" | "prompt" | "answering" | "held" | "passed";
  peer?: string;
  prompt_tokens?: number;
  prompt_read?: number;
  tokens: number;
  rate: number;
}

export interface Now {
  at: string;
  memory: Memory;
  models: NowModel[];
  requests: NowRequest[];
  rate: { prompt: number; answer: number };
  sensors: { temperature?: number; power?: number };
  disk: { free?: number; total?: number; models?: number };
}

/** A minute, told by its end. */
export interface HistoryRow {
  at: string;
  answer_rate: number;
  prompt_rate: number;
  requests: number;
  first_token_ms_p50?: number;
  first_token_ms_p95?: number;
  memory: number;
  temperature?: number;
  power?: number;
}

export interface History {
  /** Seconds of a row. */
  step: number;
  rows: HistoryRow[];
}

/** Where it is told: events called `now`. */
export const NOW_EVENTS = "/admin/api/now/events";
export const HISTORY = "/admin/api/history";

export const stopRequest = (id: string): Promise<void> =>
  ask("DELETE", `/admin/api/requests/${encodeURIComponent(id)}`);
