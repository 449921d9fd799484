// How a model is asked in one conversation, between the form and the box: texts in, checked settings out. Pure.
import type { Options, Settings } from "../../api/conversations";
import { words } from "../../words";

/** What stands in the form. */
export interface Draft {
  system: string;
  temperature: string;
  top_p: string;
  num_predict: string;
  num_ctx: string;
  seed: string;
  think: "" | "on" | "off" | "low" | "medium" | "high";
  keep_alive: string;
}

export type Wrong = Partial<Record<keyof Draft, string>>;

export function draftOf({ system, options, think, keep_alive }: Settings): Draft {
  const text = (value: number | string | undefined): string => (value === undefined ? "" : `${value}`);
  const thinks =
    think === undefined ? "" : think === true ? "on" : think === false ? "off" : think === "max" ? "high" : think;
  return {
    system: system ?? "",
    temperature: text(options?.temperature),
    top_p: text(options?.top_p),
    num_predict: text(options?.num_predict),
    num_ctx: text(options?.num_ctx),
    seed: text(options?.seed),
    think: thinks,
    keep_alive: text(keep_alive),
  };
}

/** What is kept, with what was changed in a form that began so: the rest may have been changed elsewhere meanwhile. */
export function merged(kept: Draft, begun: Draft, draft: Draft): Draft {
  const changed = Object.entries(draft).filter(([name, value]) => value !== begun[name as keyof Draft]);
  return { ...kept, ...Object.fromEntries(changed) };
}

interface Range {
  least: number;
  most?: number;
  whole?: boolean;
}

const RANGES: Record<keyof Options, Range> = {
  temperature: { least: 0, most: 5 },
  top_p: { least: 0, most: 1 },
  num_predict: { least: -1, whole: true },
  num_ctx: { least: 1, whole: true },
  seed: { least: 0, whole: true },
};

/** What a form says: settings, or what is wrong in it. */
export type Read = { settings: Settings } | { wrong: Wrong };

export function settingsOf(draft: Draft): Read {
  const wrong: Wrong = {};
  const options: Options = {};
  for (const [name, range] of Object.entries(RANGES) as [keyof Options, Range][]) {
    const text = draft[name].trim().replace(",", ".");
    if (text === "") continue;
    const value = Number(text);
    if (fits(value, range)) options[name] = value;
    else
      wrong[name] = range.whole ? words.chat.wrongWhole(range.least) : words.chat.wrongNumber(range.least, range.most);
  }
  const keepAlive = draft.keep_alive.trim();
  if (keepAlive !== "" && !/^(?:-?\d+|(?:\d+(?:\.\d+)?(?:ms|s|m|h))+)$/.test(keepAlive))
    wrong.keep_alive = words.chat.wrongTime;
  if (Object.keys(wrong).length > 0) return { wrong };
  const think = draft.think === "on" ? true : draft.think === "off" ? false : draft.think;
  const settings: Settings = {
    ...(draft.system.trim() !== "" && { system: draft.system }),
    ...(Object.keys(options).length > 0 && { options }),
    ...(think !== "" && { think }),
    ...(keepAlive !== "" && { keep_alive: /^-?\d+$/.test(keepAlive) ? Number(keepAlive) : keepAlive }),
  };
  return { settings };
}

function fits(value: number, { least, most, whole }: Range): boolean {
  if (!Number.isFinite(value) || value < least || (most !== undefined && value > most)) return false;
  return !whole || (Number.isSafeInteger(value) && value <= 0x7fff_ffff);
}
