// The settings, each with who set it.
import { ask } from "./client";

export type Kind = "text" | "number" | "flag" | "choice" | "size" | "time" | "list" | "path" | "secret";

export interface Setting {
  name: string;
  kind: Kind;
  /** Words that may be written there; of a `text` others as well. */
  choices?: string[];
  /** What it decides, in an English sentence. */
  about: string;
  default: string | null;
  /** What is in force. */
  value: string | null;
  /** There is a value that nobody is told. */
  hidden?: boolean;
  origin: { layer: "default" | "file" | "environment" | "page"; where?: string };
  /** What the page keeps, which may not be in force before a restart. */
  kept?: string | null;
  /** Why the page cannot change it. */
  locked?: string | null;
  /** It counts after a restart. */
  restart: boolean;
  /** It needs the password once more. */
  confirm?: boolean;
}

export interface Settings {
  settings: Setting[];
}

export const SETTINGS = "/admin/api/settings";

/** New values by name; null is what is beneath the page's. */
export type Changes = Record<string, string | null>;

export const keepSettings = (values: Changes, confirm?: string): Promise<Settings> =>
  ask("PUT", SETTINGS, { values, ...(confirm !== undefined && { confirm }) });
