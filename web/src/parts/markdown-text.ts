// Of a model's Markdown: characters that are written as references, and where a link may lead.

const NAMED: Record<string, string> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: "\u00a0",
  ensp: "\u2002",
  emsp: "\u2003",
  thinsp: "\u2009",
  ndash: "–",
  mdash: "—",
  hellip: "…",
  lsquo: "‘",
  rsquo: "’",
  ldquo: "“",
  rdquo: "”",
  laquo: "«",
  raquo: "»",
  middot: "·",
  bull: "•",
  times: "×",
  divide: "÷",
  minus: "−",
  plusmn: "±",
  le: "≤",
  ge: "≥",
  ne: "≠",
  asymp: "≈",
  infin: "∞",
  radic: "√",
  sum: "∑",
  pi: "π",
  deg: "°",
  micro: "µ",
  copy: "©",
  reg: "®",
  trade: "™",
  sect: "§",
  para: "¶",
  euro: "€",
  pound: "£",
  yen: "¥",
  cent: "¢",
  larr: "←",
  rarr: "→",
  uarr: "↑",
  darr: "↓",
  harr: "↔",
  rArr: "⇒",
  frac12: "½",
  frac14: "¼",
  frac34: "¾",
  sup2: "²",
  sup3: "³",
  check: "✓",
};

/** A text with its character references, as `&amp;`, in place. Unknown ones stay as they are. */
export function decoded(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(
    /&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]\w{1,15}));/gi,
    (whole, decimal?: string, hex?: string, name?: string) => {
      if (name !== undefined) return Object.hasOwn(NAMED, name) ? NAMED[name]! : whole;
      const point = decimal === undefined ? parseInt(hex!, 16) : parseInt(decimal, 10);
      const real = point > 0 && point <= 0x10ffff && !(point >= 0xd800 && point <= 0xdfff);
      return real ? String.fromCodePoint(point) : "\ufffd";
    },
  );
}

interface Destination {
  href: string;
  /** What is shown of it: whose page it is, or whom one writes to. */
  host: string;
}

/** Where a link leads, if that is a page elsewhere or mail. Paths alone are no destination: they would lead into this page. */
export function destination(href: string): Destination | undefined {
  let url: URL;
  try {
    url = new URL(decoded(href));
  } catch {
    return undefined;
  }
  if (url.protocol === "mailto:") return { href: url.href, host: url.pathname };
  if (url.protocol !== "https:" && url.protocol !== "http:") return undefined;
  // A name before the host is there to be taken for the host.
  if (url.username !== "" || url.password !== "") return undefined;
  return { href: url.href, host: url.host };
}
