// An answer that grows, sentence by sentence, for who listens to it. Pure.

/** Ends of sentences: a mark with something behind it, a Chinese mark, or the end of a line. */
const END = /[.!?…]["')\]*_]*(?=\s)|[。！？；]|\n/g;
/** Letters after which a sentence without an end is said all the same. */
const MOST_UNSAID = 400;

/** Gives, of a text that grows, each sentence once, when it is whole. */
export class Sentences {
  #said = 0;
  #fenced = false;

  constructor(private readonly saysCode: () => string) {}

  /** What of `text` is whole and was not given before; all the rest, if `ended`. */
  of(text: string, ended = false): string[] {
    const found: string[] = [];
    for (let end = this.#next(text, ended); end !== undefined; end = this.#next(text, ended)) {
      const raw = text.slice(this.#said, end);
      this.#said = end;
      const sentence = this.#plain(raw);
      if (sentence !== "") found.push(sentence);
    }
    return found;
  }

  #next(text: string, ended: boolean): number | undefined {
    END.lastIndex = this.#said;
    const end = END.exec(text);
    if (end) return end.index + end[0].length;
    const left = text.length - this.#said;
    if (left > 0 && (ended || left > MOST_UNSAID)) return text.length;
    return undefined;
  }

  /** A sentence without its marks. Of a block of code, only that it is one. */
  #plain(raw: string): string {
    if (/^\s*(```|~~~)/.test(raw)) {
      this.#fenced = !this.#fenced;
      return this.#fenced ? this.saysCode() : "";
    }
    if (this.#fenced) return "";
    return raw
      .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
      .replace(/^\s*(?:#{1,6}|>|[-*+])\s/, "")
      .replace(/[*_`~]+/g, "")
      .replace(/\|/g, " ")
      .replace(/\s+/g, " ")
      .replace(/^[\s:-]+$/, "")
      .trim();
  }
}
