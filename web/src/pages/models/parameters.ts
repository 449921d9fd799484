// Parameters as people write them, a line each: `temperature 0.7`. What a name may be is the box's to know.

export type Parameters = Record<string, unknown>;

/** The line, counted from 1, that is none. */
export class WrongLine extends Error {
  constructor(readonly line: number) {
    super(`line ${line}`);
  }
}

/** Reads them. A name that is there again makes a list, as `stop` has one; empty lines and comments are nothing. */
export function parseParameters(text: string): Parameters {
  const read: Parameters = {};
  text.split("\n").forEach((raw, index) => {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) return;
    const [, name, written] = /^(?:PARAMETER\s+)?([a-z_0-9]+)\s+(.+)$/i.exec(line) ?? [];
    if (name === undefined || written === undefined) throw new WrongLine(index + 1);
    const value = valueOf(written, index + 1);
    const before = read[name];
    if (before === undefined) read[name] = name === "stop" ? [value] : value;
    else read[name] = [...(Array.isArray(before) ? (before as unknown[]) : [before]), value];
  });
  return read;
}

function valueOf(written: string, line: number): unknown {
  if (written.startsWith('"')) {
    try {
      const text: unknown = JSON.parse(written);
      if (typeof text === "string") return text;
    } catch {
      // Said below.
    }
    throw new WrongLine(line);
  }
  if (written === "true" || written === "false") return written === "true";
  return /^-?\d+(\.\d+)?(e-?\d+)?$/i.test(written) ? Number(written) : written;
}
