// Which setting is found where, and what is to be said of it. Pure.
import type { Changes, Setting } from "../../api/settings";

export type Section = "often" | "models" | "memory" | "network" | "registry" | "box" | "limits" | "client" | "other";

const OFTEN = [
  "name",
  "models.keep_alive",
  "models.preload",
  "models.context",
  "memory.limit",
  "lan.open",
  "lan.share",
  "log.level",
];

/** By what a name begins with. */
const SECTIONS: [Section, string[]][] = [
  ["models", ["models."]],
  ["memory", ["memory.", "cache.", "engine."]],
  ["network", ["lan.", "hosts", "origins", "loopback.", "plaintext.", "listen"]],
  ["registry", ["registry."]],
  ["box", ["tls.", "claim.", "admin.", "state.", "log.", "name"]],
  ["limits", ["limits."]],
  ["client", ["cli.", "host", "key"]],
];

export function sectionOf(name: string): Section {
  if (OFTEN.includes(name)) return "often";
  const begins = (beginning: string): boolean =>
    beginning.endsWith(".") ? name.startsWith(beginning) : name === beginning;
  return SECTIONS.find(([, beginnings]) => beginnings.some(begins))?.[0] ?? "other";
}

/** The sections that have something, in order, each with what it has. */
export function sectioned(settings: Setting[]): { section: Section; settings: Setting[] }[] {
  const order: Section[] = ["often", ...SECTIONS.map(([section]) => section), "other"];
  return order
    .map((section) => ({ section, settings: settings.filter(({ name }) => sectionOf(name) === section) }))
    .filter(({ settings }) => settings.length > 0);
}

/** Whether all words that are looked for stand in what is known of it. */
export function fits(setting: Setting, about: string, looked: string): boolean {
  const known = `${setting.name} ${about} ${setting.about} ${setting.value ?? ""}`.toLowerCase();
  return looked
    .toLowerCase()
    .split(/\s+/)
    .every((word) => known.includes(word));
}

/** Somebody has set it. */
export const isSet = ({ origin, kept }: Setting): boolean => origin.layer !== "default" || (kept ?? null) !== null;

/** What the page keeps of it is not in force before a restart. */
export function waits({ restart, locked, kept, value, origin, hidden }: Setting): boolean {
  if (!restart || locked || hidden) return false;
  return (kept ?? null) === null ? origin.layer === "page" : kept !== (value ?? "");
}

/** What stands in its control: what was typed, what is kept, what is in force. */
export function shown(setting: Setting, draft: Changes): string {
  const typed = draft[setting.name];
  if (typed !== undefined && typed !== null) return typed;
  return setting.kept ?? setting.value ?? "";
}

/** A draft with another value; one that is what is kept already is no change. */
export function changed(draft: Changes, setting: Setting, value: string | null): Changes {
  const { [setting.name]: _, ...others } = draft;
  const same = value !== null && !setting.hidden && value === (setting.kept ?? setting.value ?? "");
  return same ? others : { ...others, [setting.name]: value === "" && takesNoEmptyText(setting) ? null : value };
}

/** What is left of a draft when these changes of it were kept: what was typed since. */
export function without(draft: Changes, kept: Changes): Changes {
  return Object.fromEntries(Object.entries(draft).filter(([name, value]) => kept[name] !== value));
}

/** Of such, nothing is no value: what is beneath counts. */
function takesNoEmptyText({ kind }: Setting): boolean {
  return kind === "number" || kind === "size" || kind === "time" || kind === "choice";
}
