// Models on their way to the box. It fetches them itself, whether or not somebody looks.
import { ask } from "./client";

export interface Pull {
  id: string;
  model: string;
  /** The paired box that it comes from; absent if from a registry. */
  from?: string;
  state: "running" | "paused" | "done" | "failed";
  /** What is done just now, in Ollama's words. */
  status: string;
  /** Bytes; 0 as long as it is not known how many. */
  total: number;
  completed: number;
  /** Bytes a second. */
  rate: number;
  error?: string;
  started: string;
  by?: string;
}

/** Where they are listed, and told of as they go on: events called `pulls`. */
export const PULLS = "/admin/api/pulls";
export const PULL_EVENTS = `${PULLS}/events`;

export interface Pulls {
  pulls: Pull[];
}

export interface Wanted {
  model: string;
  /** The paired box that it is to come from. */
  from?: string;
  /** The registry is asked by plain HTTP. */
  insecure?: boolean;
}

export const pull = (wanted: Wanted): Promise<Pull> => ask("POST", PULLS, wanted);

export const pausePull = (id: string): Promise<unknown> => ask("POST", `${PULLS}/${encodeURIComponent(id)}/pause`, {});

export const resumePull = (id: string): Promise<unknown> =>
  ask("POST", `${PULLS}/${encodeURIComponent(id)}/resume`, {});

/** Stops one, or strikes it from the list; `discard` removes what has come of it as well. */
export function dropPull(id: string, discard: "keep" | "discard"): Promise<void> {
  return ask("DELETE", `${PULLS}/${encodeURIComponent(id)}${discard === "discard" ? "?discard=true" : ""}`);
}

/** Seconds until all is there at the rate of now; nothing, where nobody can tell. */
export function timeLeft({ state, total, completed, rate }: Pull): number | undefined {
  if (state !== "running" || total === 0 || rate <= 0 || completed >= total) return undefined;
  return (total - completed) / rate;
}
