// The only `fetch`: asks the box, and says in one way what went wrong. What the answers look like is `types`'.
import { signal } from "@preact/signals";

/** The box said no, or could not be asked. `status` is 0 if it could not. */
export class Failure extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** The field of the form that is at fault, by its name on the wire. */
    readonly field?: string,
  ) {
    super(message);
  }
}

/** Whether the box answered when it was last asked. */
export const reachable = signal(true);

/** Counts up whenever the box is there again, or somebody else is signed in: what is shown must be asked for anew. */
export const epoch = signal(0);

/** What is done when the box does not know us any more; the page that signs in sets it. */
export const onSignedOut: { act: () => void } = { act: () => undefined };

export interface Asking {
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as it is, instead of `body`. */
  file?: Blob;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** Sent even if the page is being closed; small bodies only. */
  keepalive?: boolean;
}

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** Asks, and gives the answer as it comes. */
export async function open(method: Method, path: string, asking: Asking = {}): Promise<Response> {
  if (leadsElsewhere(path)) throw new Failure(404, `404 ${path}`);
  const headers = new Headers(asking.headers);
  const init: RequestInit = { method, headers, credentials: "same-origin", cache: "no-store" };
  if (asking.body !== undefined) {
    headers.set("content-type", "application/json");
    init.body = JSON.stringify(asking.body);
  } else if (asking.file) {
    init.body = asking.file;
  }
  if (asking.signal) init.signal = asking.signal;
  if (asking.keepalive) init.keepalive = true;
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (asking.signal?.aborted) throw error;
    lost();
    throw new Failure(0, "");
  }
  reachable.value = true;
  if (!response.ok) throw await failure(response, path);
  return response;
}

/** Whether a browser would ask for another path than this: a name in it is `.` or `..`, written in whatever way. */
export function leadsElsewhere(path: string): boolean {
  const [segments = ""] = path.split(/[?#]/, 1);
  return segments.split(/[/\\]/).some((segment) => /^(\.|%2e){1,2}$/i.test(segment));
}

/** Asks, and gives the answer's JSON. */
export async function ask<T>(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const response = await open(method, path, { body, ...(signal && { signal }) });
  if (response.status === 204) return undefined as T;
  const text = await response.text();
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

async function failure(response: Response, path: string): Promise<Failure> {
  let message = `${response.status} ${response.statusText}`.trim();
  let field: string | undefined;
  try {
    const said: unknown = await response.json();
    if (said !== null && typeof said === "object") {
      if ("error" in said && typeof said.error === "string") message = said.error;
      if ("field" in said && typeof said.field === "string") field = said.field;
    }
  } catch {
    // The status is all there is.
  }
  // A wrong password, typed into a form, is the form's to tell.
  if (response.status === 401 && !path.endsWith("/login") && !path.endsWith("/claim")) onSignedOut.act();
  return new Failure(response.status, message, field);
}

let looking = false;

/** The box did not answer: looks for it until it does. */
export function lost(): void {
  reachable.value = false;
  if (looking) return;
  looking = true;
  const look = async (wait: number): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, wait));
    try {
      const response = await fetch("/healthz", { cache: "no-store" });
      if (response.ok) {
        looking = false;
        reachable.value = true;
        epoch.value += 1;
        return;
      }
    } catch {
      // Still gone.
    }
    await look(Math.min(wait * 1.5, 5000));
  };
  void look(500);
}
