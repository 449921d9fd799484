// What keeps a box for years: restarting, backups, diagnostics, and making it new.
import { ask, open } from "./client";

export const restart = (): Promise<void> => ask("POST", "/admin/api/restart", {});

/** The box in one file, with the name it is to have. */
export async function backup(wanted: { passphrase?: string; confirm?: string }): Promise<{ name: string; file: Blob }> {
  const response = await open("POST", "/admin/api/backup", { body: wanted });
  const said = response.headers.get("content-disposition") ?? "";
  return { name: /filename="([^"]+)"/.exec(said)?.[1] ?? "hob.hobbackup", file: await response.blob() };
}

/** What the box begins anew with. */
export interface Restored {
  box: { id: string; label: string } | null;
  made: string;
  version: string;
  /** The box becomes that one, for all who know it. */
  identity: boolean;
  settings: boolean;
  people: number;
  keys: number;
  peers: number;
  models: { name: string; lacks: { digest: string; bytes: number }[] }[];
  /** What was left out when it was made. */
  left_out: ("identity" | "peer-keys" | "settings")[];
}

/** Once all of the file was checked, the box restarts with it. */
export async function restore(
  file: Blob,
  { passphrase, confirm }: { passphrase?: string; confirm?: string },
): Promise<Restored> {
  const headers: Record<string, string> = { "content-type": "application/octet-stream" };
  if (passphrase) headers["hob-passphrase"] = encodeURIComponent(passphrase);
  if (confirm) headers["hob-confirm"] = encodeURIComponent(confirm);
  return (await (await open("POST", "/admin/api/restore", { file, headers })).json()) as Restored;
}

export const diagnostics = (): Promise<unknown> => ask("GET", "/admin/api/diagnostics");

/** The box restarts, and is new. */
export const reset = (wanted: { models: "keep" | "remove"; confirm?: string }): Promise<void> =>
  ask("POST", "/admin/api/reset", wanted);
