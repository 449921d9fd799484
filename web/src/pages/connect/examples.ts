// The examples of `examples.json`, filled in. There `{root?…}` is for a box whose root has to be trusted, `{remote?…}` and `{local?…}`
// for programs elsewhere and on the box itself; a line of which nothing is left goes. `tests/clients/examples.py` runs those that
// have a `run`, as they are shown.
import { isLocal } from "./addresses";
import all from "./examples.json";

export interface Example {
  client: string;
  title: string;
  /** Runs it, where it can be run as it is: `sh`, `python` or `node`. */
  run?: string;
  install?: string;
  /** How the program is told to trust the box. */
  trust?: string;
  lines: string[];
}

export interface Filling {
  /** Without a slash at its end. */
  address: string;
  key: string;
  model: string;
  /** The file with the box's root, where that has to be trusted. */
  root: string | undefined;
}

export const EXAMPLES: Example[] = all;

/** The programs, in the order in which they are shown, by what they call themselves. */
export const CLIENTS: Record<string, string> = {
  curl: "curl",
  python: "Python",
  javascript: "JavaScript",
  "open-webui": "Open WebUI",
  continue: "Continue",
  "home-assistant": "Home Assistant",
  "claude-code": "Claude Code",
};

/** A program's examples as they are to be copied; what comes to nothing is left out. */
export function examples(
  client: string,
  filling: Filling,
): { title: string; install: string | undefined; text: string }[] {
  return EXAMPLES.filter((example) => example.client === client)
    .map((example) => ({ title: example.title, install: example.install, text: filled(example, filling) }))
    .filter(({ text }) => text !== "");
}

/** The text of one. A shell is told before what it starts; what is no shell's is told beside it, by `trusting`. */
export function filled({ lines, trust, run }: Example, filling: Filling): string {
  const before = trust !== undefined && run === undefined && filling.root !== undefined ? [trust] : [];
  return [...before, ...lines].flatMap((line) => fill(line, filling)).join("\n");
}

/** The line that a shell is told, so that what it starts trusts the box. */
export function trusting(client: string, filling: Filling): string | undefined {
  const trust = EXAMPLES.find((example) => example.client === client && example.run !== undefined)?.trust;
  return trust === undefined || filling.root === undefined ? undefined : fill(trust, filling)[0];
}

function fill(line: string, filling: Filling): string[] {
  const holds = {
    root: filling.root !== undefined,
    local: isLocal(filling.address),
    remote: !isLocal(filling.address),
  };
  const kept = line.replace(
    /\{(root|local|remote)\?((?:[^{}]|\{\w+\})*)\}/g,
    (_, when: keyof typeof holds, text: string) => (holds[when] ? text : ""),
  );
  if (kept === "" && line !== "") return [];
  return [kept.replace(/\{(address|key|model|root)\}/g, (_, name: keyof Filling) => filling[name] ?? "")];
}
