// The people of the box, and the browsers they are signed in with.
import { ask } from "./client";

export type Role = "owner" | "member";

export interface Person {
  name: string;
  role: Role;
  created: string;
  last_seen?: string | null;
  /** Who asks. */
  you: boolean;
}

export const PEOPLE = "/admin/api/people";

export interface WantedPerson {
  name: string;
  password: string;
  role: Role;
  confirm?: string;
}

export const addPerson = (wanted: WantedPerson): Promise<Person> => ask("POST", PEOPLE, wanted);

export const removePerson = (name: string, confirm?: string): Promise<void> =>
  ask("DELETE", `${PEOPLE}/${encodeURIComponent(name)}`, { confirm });

/** Gives somebody another password; their sessions end. */
export const resetPassword = (name: string, passwords: { password: string; confirm?: string }): Promise<void> =>
  ask("POST", `${PEOPLE}/${encodeURIComponent(name)}/password`, passwords);

/** Changes one's own; one's other sessions end. */
export const changePassword = (passwords: { password: string; confirm: string }): Promise<void> =>
  ask("POST", "/admin/api/password", passwords);

export interface Session {
  id: string;
  person: string;
  created: string;
  last_seen: string;
  address: string | null;
  /** What the browser says it is. */
  agent: string;
  /** The one that asks. */
  current: boolean;
}

export const SESSIONS = "/admin/api/sessions";

export const endSession = (id: string): Promise<void> => ask("DELETE", `${SESSIONS}/${encodeURIComponent(id)}`);
