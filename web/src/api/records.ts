// What was done on the box and by whom, and what the daemon says.

export interface Entry {
  seq: number;
  time: string;
  /** `hob`, `operator`, `local`, `nobody`, `person:` and a name, or `key:` and an id. */
  who: string;
  from?: string;
  action: string;
  target: string;
  outcome: "done" | "refused" | "failed";
}

export interface Entries {
  entries: Entry[];
  /** Lines that are not what was written. */
  damaged?: number;
  /** Where to go on, by `before`. */
  next?: number;
}

export interface Line {
  /** From 1, since the daemon began. */
  n: number;
  at: string;
  level: "error" | "warn" | "info" | "debug" | "trace";
  target: string;
  message: string;
}

export interface Lines {
  lines: Line[];
}

export const AUDIT = "/admin/api/audit";
export const LOGS = "/admin/api/logs";

/** A path with what is asked for behind it; what is empty is not asked for. */
export function asking(path: string, wanted: Record<string, string | number | undefined>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(wanted))
    if (value !== undefined && value !== "") query.set(name, `${value}`);
  const text = query.toString();
  return text === "" ? path : `${path}?${text}`;
}
