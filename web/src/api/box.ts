// The box, and who is before it: asked for first, and again after each signing in or out.
import { computed, signal } from "@preact/signals";
import { ask, epoch, onSignedOut } from "./client";

export type Scope = "infer" | "embed" | "models.read" | "models.write" | "metrics" | "admin" | "split";

export interface Me {
  kind: "person" | "key" | "operator" | "local" | "nobody";
  name: string;
  scopes: Scope[];
}

/** What a page is told before anybody signs in. */
export interface Box {
  /** What people call it. */
  name: string;
  /** Its name on the network, as hob-abcd; absent if it serves no TLS. */
  label?: string;
  /** What it is known by, to be compared with what its console shows. */
  id?: string;
  short?: string;
  claimed: boolean;
  /** By which way this page came. */
  way: "network" | "loopback";
  /** Where it serves TLS. */
  https: string[];
  me: Me | null;
  version?: string;
}

export const box = signal<Box | undefined>(undefined);

export const me = computed(() => box.value?.me ?? null);

/** Whether who is before the box may do this. */
export const may = (scope: Scope): boolean => me.value?.scopes.includes(scope) ?? false;

/** Asks who the box is, and who we are to it. */
export async function meet(): Promise<void> {
  const before = me.peek()?.name;
  box.value = await ask<Box>("GET", "/admin/api/box");
  if (me.peek()?.name !== before) epoch.value += 1;
}

onSignedOut.act = () => {
  const known = box.peek();
  if (known?.me) box.value = { ...known, me: null };
};
