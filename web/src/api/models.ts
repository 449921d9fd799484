// The models of the box, by Ollama's API: which there are, what each is, and what is done with one.
import { ask, open } from "./client";
import { lines } from "./events";

export type Capability = "completion" | "embedding" | "rerank" | "vision" | "audio" | "tools" | "thinking" | "insert";

/** What a model says of itself, as a list has it. */
export interface Details {
  format: string;
  family: string;
  parameter_size: string;
  quantization_level: string;
  /** The longest context, in tokens, that it was made for. */
  context_length?: number;
  embedding_length?: number;
}

/** A model on the box's disk. */
export interface Model {
  name: string;
  modified_at: string;
  /** Bytes on the disk. */
  size: number;
  digest: string;
  details: Details;
  capabilities: Capability[];
}

/** A model in memory. */
export interface Loaded {
  name: string;
  /** Bytes of memory, and those of them that are a GPU's. */
  size: number;
  size_vram: number;
  /** When it goes if nothing asks for it; `stays` knows one that does not go. */
  expires_at: string;
  context_length: number;
}

/** All about a model. */
export interface Shown {
  license?: string;
  modelfile?: string;
  /** A line each, its name first. */
  parameters?: string;
  template?: string;
  system?: string;
  details: Details;
  messages?: { role: string; content: string }[];
  model_info: Record<string, unknown>;
  projector_info?: Record<string, unknown>;
  capabilities: Capability[];
  modified_at: string;
}

/** What a model would take in memory, in bytes, and whether it could have that. */
export interface Fit {
  weights_bytes: number;
  kv_cache_bytes: number;
  compute_bytes: number;
  prefix_bytes: number;
  process_bytes: number;
  /** All together; measured, if it was loaded so before. */
  total_bytes: number;
  /** What all models may take together. */
  budget_bytes: number;
  context_tokens: number;
  /** Requests that it answers at once. */
  parallel: number;
  outcome: "loaded" | "loads" | "waits";
  /** Models that nobody uses, and that would make room for it. */
  evicted: number;
}

/** What goes on with one model. */
export interface Activity {
  name: string;
  state: "absent" | "loading" | "loaded" | "resting" | "quarantined";
  /** Why it is quarantined. */
  reason?: string;
  running: number;
  held: number;
  waiting: number;
  longest_wait?: number;
}

/** Where the models are listed. */
export const MODELS = "/api/tags";

/** Where those in memory are listed. */
export const LOADED = "/api/ps";

/** Where is said what goes on with each. */
export const ACTIVITY = "/admin/api/models";

/** Where a model's need of memory is estimated. */
export function fitPath(model: string, context?: number): string {
  return `/admin/api/fit?${new URLSearchParams({ model, ...(context && { num_ctx: `${context}` }) }).toString()}`;
}

/** Whether a model stays in memory until somebody says otherwise: its time is then as far as clocks go. */
export function stays(loaded: Loaded): boolean {
  return Date.parse(loaded.expires_at) - Date.now() > 10 * 365 * 86_400_000;
}

export const show = (model: string, gone?: AbortSignal): Promise<Shown> => ask("POST", "/api/show", { model }, gone);

export interface Loading {
  model: string;
  /** As Ollama has it: -1 stays, 0 goes at once; the box's own setting, if nothing is said. */
  keep_alive?: string | number;
  options?: { num_ctx?: number };
}

/** Has a model loaded, by a request for it that asks nothing; what only makes vectors is asked by its own route. */
export async function load(loading: Loading, capabilities: Capability[]): Promise<void> {
  if (capabilities.includes("embedding")) await ask("POST", "/api/embed", { ...loading, input: [] });
  else await ask("POST", "/api/generate", { ...loading, stream: false });
}

/** Takes a model out of memory, once those are done who use it. */
export const unload = (model: string): Promise<void> =>
  ask("POST", "/api/generate", { model, keep_alive: 0, stream: false });

export const copyModel = (source: string, destination: string): Promise<void> =>
  ask("POST", "/api/copy", { source, destination });

export const removeModel = (model: string): Promise<void> => ask("DELETE", "/api/delete", { model });

/** A model that is to be made of another. What is left out is as the other has it. */
export interface Making {
  model: string;
  from: string;
  system?: string;
  parameters?: Record<string, unknown>;
}

/** A step of what takes long. */
export interface Step {
  status?: string;
  total?: number;
  completed?: number;
  error?: string;
}

/** Makes a model of another, and tells each step. */
export async function create(making: Making, hear: (step: Step) => void): Promise<void> {
  const response = await open("POST", "/api/create", { body: { ...making, stream: true } });
  for await (const step of lines<Step>(response)) {
    if (step.error !== undefined) throw new Error(step.error);
    hear(step);
  }
}
