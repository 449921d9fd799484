// What keys are usually for, and what their limits are in words.
import type { Scope } from "../../api/box";
import type { Key } from "../../api/keys";
import { number } from "../../format";
import { words } from "../../words";

/** All there are, the usual ones first. */
export const SCOPES: readonly Scope[] = ["infer", "embed", "models.read", "models.write", "metrics", "admin", "split"];

export type Preset = "program" | "person" | "metrics" | "everything";

/** To lend itself to another box is in none: no key has that by the way. */
export const PRESETS: Record<Preset, readonly Scope[]> = {
  program: ["infer", "embed", "models.read"],
  person: ["infer", "embed", "models.read", "models.write"],
  metrics: ["metrics"],
  everything: ["infer", "embed", "models.read", "models.write", "metrics", "admin"],
};

/** The preset that has just these. */
export function presetOf(scopes: readonly Scope[]): Preset | undefined {
  const same = (other: readonly Scope[]): boolean =>
    other.length === scopes.length && other.every((scope) => scopes.includes(scope));
  return (Object.keys(PRESETS) as Preset[]).find((name) => same(PRESETS[name]));
}

/** What a key may, in short words. */
export function allowed(scopes: readonly Scope[]): string {
  if (PRESETS.everything.every((scope) => scopes.includes(scope))) return words.keys.everything;
  return SCOPES.filter((scope) => scopes.includes(scope))
    .map((scope) => words.keys.scopes[scope].name)
    .join(", ");
}

export const LIMITS = [
  "requests_per_minute",
  "concurrent",
  "tokens_per_day",
  "tokens_per_month",
  "max_context",
  "max_output",
] as const;

/** What a key is limited to, one sentence each. */
export function limitsOf(key: Key): string[] {
  const said = words.keys.limit;
  const counts = LIMITS.flatMap((name) => (key[name] === null ? [] : [said[name](number(key[name]))]));
  const models = key.models.length > 0 ? [said.models(key.models.map(short).join(", "))] : [];
  const networks = key.networks.length > 0 ? [said.networks(key.networks.join(", "))] : [];
  return [...models, ...counts, ...networks, said.priority[key.priority]].filter((text) => text !== "");
}

/** A model's name as people write it. */
function short(name: string): string {
  return name.replace(/^registry\.ollama\.ai\/(library\/)?/, "").replace(/:latest$/, "");
}

/** What stands between commas. */
export function listed(text: string): string[] {
  return text
    .split(/[,，\s]+/)
    .map((part) => part.trim())
    .filter((part) => part !== "");
}
