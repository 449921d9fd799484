// The memory of the machine, divided up: what of models' is what, what others have, and what is free.
import type { Memory } from "../../api/now";

export interface Budget {
  weights: number;
  cache: number;
  compute: number;
  prefixes: number;
  rest: number;
  leaving: number;
  lent: number;
  others: number;
  free: number;
  /** All of it. */
  whole: number;
}

/** Where the box cannot tell what the machine has, what models may take is the whole. */
export function divide(memory: Memory): Budget {
  const sum = (part: "weights" | "cache" | "compute" | "prefixes" | "rest"): number =>
    memory.models.reduce((all, model) => all + model[part], 0);
  const parts = {
    weights: sum("weights"),
    cache: sum("cache"),
    compute: sum("compute"),
    prefixes: sum("prefixes"),
    rest: 0,
    leaving: memory.leaving,
    lent: memory.lent?.size ?? 0,
  };
  const named = Object.values(parts).reduce((all, part) => all + part, 0);
  // What is counted and has no name is of processes.
  parts.rest = Math.max(sum("rest"), memory.used - named);
  const whole = Math.max(memory.machine ?? memory.limit ?? memory.used, memory.used);
  const taken = named + parts.rest;
  // Weights that are mapped count as free to the system, so what others have is never less than nothing.
  const others =
    memory.machine !== undefined && memory.available !== undefined
      ? Math.max(memory.machine - memory.available - taken, 0)
      : 0;
  return { ...parts, others, free: Math.max(whole - taken - others, 0), whole };
}
