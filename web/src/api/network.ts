// How the box is reached, by what it is known, and the boxes beside it.
import type { Scope } from "./box";
import { ask } from "./client";

export interface Certificate {
  /** `own` is the owner's, `local` the box's. */
  source: "local" | "own";
  names: string[];
  expires: string;
  warnings: string[];
}

export interface Status {
  version: string;
  claimed: boolean;
  /** Absent if it serves no TLS. */
  device?: { id: string; short: string; label: string; certificate: Certificate };
  addresses: string[];
  degraded: { what: string; reason: string }[];
}

export const STATUS = "/admin/api/status";

export interface Peer {
  name: string;
  id: string;
  short: string;
  address: string;
  /** What it may here; absent if it has no key. */
  scopes?: Scope[];
  online: boolean;
  /** It takes our key no longer. */
  refused?: boolean;
  version?: string;
}

export interface Neighbour {
  label: string;
  id: string;
  url: string;
  addresses: string[];
  version: string;
  state: "setup" | "ready";
  /** What the peer is called that it says it is. */
  paired: string | null;
}

export interface Neighbourhood {
  peers: Peer[];
  neighbours: Neighbour[];
}

export const PEERS = "/admin/api/peers";

export interface WantedPeer {
  address: string;
  id: string;
  code: string;
  name?: string;
  /** What it is to have here. */
  scopes?: Scope[];
  confirm?: string;
}

/** What came of pairing. */
export interface NewPeer {
  name: string;
  id: string;
  address: string;
  /** What this box may there. */
  scopes: Scope[];
  /** What the other may here; absent if it does not ask this one. */
  granted?: Scope[];
  /** Why it does not. */
  one_way?: string;
}

export const pair = (wanted: WantedPeer): Promise<NewPeer> => ask("POST", PEERS, wanted);

export const forgetPeer = (name: string): Promise<void> => ask("DELETE", `${PEERS}/${encodeURIComponent(name)}`);

/** A code by which one box, or one laptop, comes in. */
export interface Invitation {
  code: string;
  expires: string;
  scopes: Scope[];
  id: string;
  label: string;
  addresses: string[];
}

const INVITATIONS = "/admin/api/invitations";

export const invite = (wanted: { scopes: Scope[]; confirm?: string }): Promise<Invitation> =>
  ask("POST", INVITATIONS, wanted);

export const withdraw = (): Promise<void> => ask("DELETE", INVITATIONS);

const CERTIFICATE = "/admin/api/certificate";

export const bringCertificate = (brought: { certificate: string; key: string; confirm?: string }): Promise<void> =>
  ask("PUT", CERTIFICATE, brought);

/** Back to what the box makes for itself. */
export const forgetCertificate = (confirm?: string): Promise<void> => ask("DELETE", CERTIFICATE, { confirm });
