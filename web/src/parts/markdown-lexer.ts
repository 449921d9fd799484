// Markdown of a model, read into tokens. What the model writes is hostile: however it is nested or repeated, reading it
// takes time that grows with its length alone. What goes beyond a limit stays text. Nodes are made of tokens by `markdown`.
import { Lexer, Tokenizer, type MarkedOptions, type Token, type Tokens } from "marked";

/** Containers, or spans, within each other; deeper ones are text. */
const MOST_DEPTH = 16;
/** Characters that the searches for an end of a span may look at in one reading: those for `_a_a_a…` would look at all, each time. */
const MOST_SEARCHED = 10_000_000;
/** Characters of one paragraph; what a model repeats without end is seldom more than its text. */
const MOST_IN_LINE = 20_000;
/** Characters of one answer; a longer one is shown as it was written. */
const MOST_READ = 500_000;
/** Brackets that open, in one answer: each may begin a link, which marked looks for a thousand characters far. */
const MOST_BRACKETS = 5000;

/** Reads Markdown into blocks. */
export function lex(text: string): Token[] {
  if (text.length > MOST_READ || count(text, "[", text.length) > MOST_BRACKETS) return plain(text);
  try {
    return new Bounded().lex(text);
  } catch {
    // A stack that was too small after all.
    return plain(text);
  }
}

function plain(text: string): Token[] {
  return [{ type: "plain", raw: text, text }];
}

class Bounded extends Lexer {
  #depth = 0;

  constructor() {
    // The lexer takes what it is not told from nowhere: both are all that it reads.
    super({ gfm: true, breaks: true, tokenizer: new Careful() } as MarkedOptions);
  }

  override inlineTokens(src: string, tokens: Token[] = []): Token[] {
    if (this.#depth >= MOST_DEPTH || src.length > MOST_IN_LINE) {
      tokens.push(...plain(src));
      return tokens;
    }
    this.#depth += 1;
    try {
      return super.inlineTokens(src, tokens);
    } finally {
      this.#depth -= 1;
    }
  }
}

/** Text up to where something may begin. Marked's own rule looks for addresses of mail from each character on. */
const TEXT = /^(?:[`~]+|[^`~])[^\\<!\[`*~_\n$h]*(?:h(?!ttps?:\/\/)[^\\<!\[`*~_\n$h]*)*/;
const MATH = /^(?:\$\$[^$]+\$\$|\$(?![\s$])[^$\n]*[^\s$]\$(?!\d))/;
const ADDRESS = /^https?:\/\/[^\s<>"`]+/i;

class Careful extends Tokenizer {
  #searched = 0;
  #depth = 0;

  /** Does a search in `src`, while there may be more of them. */
  #search<T>(src: string, search: () => T | undefined): T | undefined {
    this.#searched += src.length;
    return this.#searched > MOST_SEARCHED ? undefined : search();
  }

  #within<T>(read: () => T | undefined): T | undefined {
    if (this.#depth >= MOST_DEPTH) return undefined;
    this.#depth += 1;
    try {
      return read();
    } finally {
      this.#depth -= 1;
    }
  }

  override list(src: string): Tokens.List | undefined {
    return this.#within(() => super.list(src));
  }

  override blockquote(src: string): Tokens.Blockquote | undefined {
    return this.#within(() => super.blockquote(src));
  }

  override emStrong(src: string, masked: string, before?: string): Tokens.Em | Tokens.Strong | undefined {
    return this.#search(src, () => super.emStrong(src, masked, before));
  }

  override del(src: string, masked: string, before?: string): Tokens.Del | undefined {
    return this.#search(src, () => super.del(src, masked, before));
  }

  override link(src: string): Tokens.Link | Tokens.Image | undefined {
    return this.#search(src, () => super.link(src));
  }

  override reflink(
    src: string,
    links: Parameters<Tokenizer["reflink"]>[1],
  ): Tokens.Link | Tokens.Image | Tokens.Text | undefined {
    return this.#search(src, () => super.reflink(src, links));
  }

  override codespan(src: string): Tokens.Codespan | undefined {
    return this.#search(src, () => super.codespan(src));
  }

  override tag(src: string): Tokens.Tag | undefined {
    return this.#search(src, () => super.tag(src));
  }

  /** `\(…\)` is a formula and stays as it was written; any other escape is one. */
  override escape(src: string): Tokens.Escape | undefined {
    const closes = src.startsWith("\\(") ? "\\)" : src.startsWith("\\[") ? "\\]" : undefined;
    const end = closes === undefined ? undefined : this.#search(src, () => src.indexOf(closes, 2));
    if (end === undefined || end < 0) return super.escape(src);
    const raw = src.slice(0, end + 2);
    return { type: "escape", raw, text: raw };
  }

  /** Addresses of pages that are written out. Those of mail are not looked for. */
  override url(src: string): Tokens.Link | undefined {
    const found = ADDRESS.exec(src)?.[0];
    if (found === undefined) return undefined;
    const text = balanced(found);
    return { type: "link", raw: text, text, href: text, autolink: true, tokens: [{ type: "text", raw: text, text }] };
  }

  override inlineText(src: string): Tokens.Text | undefined {
    const formula = src.startsWith("$") ? this.#search(src, () => MATH.exec(src)) : undefined;
    const text = (formula ?? TEXT.exec(src))?.[0];
    return text === undefined
      ? undefined
      : { type: "text", raw: text, text, escaped: formula !== undefined && formula !== null };
  }
}

/** An address without the full stop or bracket that ends the sentence round it. */
function balanced(address: string): string {
  let end = address.length;
  for (; end > 0; end -= 1) {
    const last = address[end - 1]!;
    if (/[.,:;!?'*_~]/.test(last)) continue;
    if (last !== ")" || count(address, "(", end) >= count(address, ")", end)) break;
  }
  return address.slice(0, end);
}

function count(text: string, of: string, end: number): number {
  let found = 0;
  for (let at = 0; at < end; at += 1) if (text[at] === of) found += 1;
  return found;
}

/** An answer in its blocks, of which each has the same key as long as it is the same. */
export interface Block {
  key: number;
  token: Token;
}

/** The blocks of a text that is whole. */
export function whole(text: string): Block[] {
  return lex(text).map((token, key) => ({ key, token }));
}

/** The blocks of a text that grows at its end: only the last one is read again. */
export class Blocks {
  #settled: Block[] = [];
  #read = 0;
  #text = "";

  /** The blocks of `text`, which begins with what was given before; else all is read anew. */
  of(text: string): Block[] {
    if (!text.startsWith(this.#text)) {
      this.#settled = [];
      this.#read = 0;
    }
    this.#text = text;
    const rest = text.slice(this.#read);
    const tokens = split(lex(rest));
    const before = tokens.slice(0, settled(tokens));
    const raw = before.map((token) => token.raw).join("");
    const blocks = tokens.map((token, index) => ({ key: this.#settled.length + index, token }));
    // What was read must be what was written, else the place where to go on is unknown.
    const shown = [...this.#settled, ...blocks];
    if (raw !== "" && rest.startsWith(raw)) {
      this.#settled = shown.slice(0, this.#settled.length + before.length);
      this.#read += raw.length;
    }
    return shown;
  }
}

/** Items of a list that grows, from which on it is cut in two; and those of its end that still may change. */
const LONG_LIST = 60;
const LAST_ITEMS = 10;

/** A long list at the end becomes two, so that the first need not be read again. Once the answer is whole it is one. */
function split(tokens: Token[]): Token[] {
  const last = tokens.at(-1) as Tokens.List | undefined;
  if (last?.type !== "list" || last.items.length < LONG_LIST) return tokens;
  const part = (items: Tokens.ListItem[], start: Tokens.List["start"]): Tokens.List => ({
    ...last,
    items,
    start,
    raw: items.map((item) => item.raw).join(""),
  });
  const items = last.items.length - LAST_ITEMS;
  const start = last.start === "" ? "" : last.start + items;
  return [...tokens.slice(0, -1), part(last.items.slice(0, items), last.start), part(last.items.slice(items), start)];
}

/** How many of these no text that follows can change. A line that is not whole may turn out to go on with what is before it. */
function settled(tokens: Token[]): number {
  const written = (token: Token): boolean => token.type !== "space";
  const last = tokens.findLastIndex(written);
  if (last < 0 || tokens[last]!.raw.includes("\n")) return Math.max(last, 0);
  return Math.max(tokens.slice(0, last).findLastIndex(written), 0);
}

/** Line ends as they are read here. */
export function unixLines(text: string): string {
  return text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
}
