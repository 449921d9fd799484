import type { ComponentChild, VNode } from "preact";
import { describe, expect, it } from "vitest";
import { Code } from "../src/parts/code";
import { Block, nodes } from "../src/parts/markdown";
import { Blocks, lex } from "../src/parts/markdown-lexer";

interface Element {
  name: string;
  props: Record<string, unknown>;
}

/** What would be drawn: all elements, and all text. */
function drawn(markdown: string): { elements: Element[]; text: string; names: string[] } {
  const elements: Element[] = [];
  let text = "";
  const walk = (node: unknown): void => {
    if (Array.isArray(node)) return node.forEach(walk);
    if (node === null || node === undefined || typeof node === "boolean") return;
    if (typeof node !== "object") return void (text += String(node));
    const { type, props } = node as VNode<Record<string, unknown>>;
    if ((type as unknown) === Code) {
      elements.push({ name: "pre", props });
      text += String(props["text"]);
    } else if (typeof type === "string") {
      const { children, ...rest } = props;
      elements.push({ name: type, props: rest });
      if (type === "br") text += "\n";
      walk(children);
    } else if (typeof type === "function" && "prototype" in type && type.prototype && "render" in type.prototype) {
      const made = new (type as unknown as new (props: unknown) => { render: (props: unknown) => ComponentChild })(
        props,
      );
      walk(made.render(props));
    } else {
      walk(props["children"]);
    }
  };
  walk(nodes(markdown));
  return { elements, text, names: elements.map((element) => element.name) };
}

const SAFE = new Set([
  "p",
  "br",
  "hr",
  "h3",
  "h4",
  "h5",
  "ul",
  "ol",
  "li",
  "strong",
  "em",
  "del",
  "code",
  "pre",
  "blockquote",
  "a",
  "span",
  "div",
  "table",
  "thead",
  "tbody",
  "tr",
  "th",
  "td",
]);

describe("Markdown of a model", () => {
  it("becomes nodes", () => {
    const { names, text } = drawn(
      "# Tea\n\nBoil **water**, *then* `wait`:\n\n1. one\n2. two\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n> said\n\n```js\nlet a;\n```\n",
    );
    expect(names).toEqual([
      "h3",
      "p",
      "strong",
      "em",
      "code",
      "ol",
      "li",
      "li",
      "div",
      "table",
      "thead",
      "tr",
      "th",
      "th",
      "tbody",
      "tr",
      "td",
      "td",
      "blockquote",
      "p",
      "pre",
    ]);
    expect(text).toContain("Boil water, then wait:");
  });

  it("keeps the lines of what is written in lines", () => {
    expect(drawn("roses\nviolets").names).toEqual(["p", "br"]);
  });

  it("leaves formulas as they were written", () => {
    const { text, names } = drawn("The sum \\(a_1 * b_1\\) and $x_i * y_i$ and\n\\[ \\frac{a}{b} \\]\nfor $5 and $6.");
    expect(text).toBe("The sum \\(a_1 * b_1\\) and $x_i * y_i$ and\n\\[ \\frac{a}{b} \\]\nfor $5 and $6.");
    expect(names).toEqual(["p", "br", "br"]);
  });

  it("shows tasks, and characters that are written as references", () => {
    expect(drawn("- [x] tea &amp; &#26085;&hearts;").text).toBe("☑ tea & 日&hearts;");
  });

  it("shows a code block that is not closed", () => {
    expect(drawn("```html\n<img src=x onerror=alert(1)>").elements[0]).toMatchObject({
      name: "pre",
      props: { text: "<img src=x onerror=alert(1)>", language: "html" },
    });
  });
});

describe("hostile Markdown", () => {
  const HTML = [
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "text <b onclick=alert(1)>bold</b> <iframe src='javascript:alert(1)'>",
    "<svg/onload=alert(1)>",
    "<div>\n\n**a** <style>*{display:none}</style>\n\n</div>",
    "<!-- --><meta http-equiv=refresh content=0>",
    "- <form action=//evil.example><input name=password>\n- b",
    "| <img src=x onerror=alert(1)> | b |\n|---|---|\n| <a href=javascript:alert(1)>x</a> | c |",
    "> <object data=x>\n> # <base href=//evil.example>",
    "**<u>a</u>** ~~<marquee>~~",
    "</div></main><script src=//evil.example></script>",
    "<br onclick=alert(1)>",
    "![<img src=x onerror=alert(1)>](https://example.org/x.png)",
    "[<img src=x onerror=alert(1)>](https://example.org)",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?php ?><x>",
  ];

  it.each(HTML)("%s is text", (markdown) => {
    const { elements, text } = drawn(markdown);
    for (const { name, props } of elements) {
      expect(SAFE.has(name), name).toBe(true);
      expect(Object.keys(props).filter((prop) => /^on|srcdoc|^src$|dangerously|innerHTML/i.test(prop))).toEqual([]);
    }
    expect(text).toMatch(/</);
  });

  const LINKS = [
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt:alert(1))",
    "[a](java\nscript:alert(1))",
    "[a](<java&Tab;script:alert(1)>)",
    "[a](&#106;avascript:alert(1))",
    "[a](&#x6A;avascript&colon;alert(1))",
    "[a](\u0001javascript:alert(1))",
    "[a](data:text/html,<script>alert(1)</script>)",
    "[a](data:text/html;base64,PHNjcmlwdD4=)",
    "[a](vbscript:msgbox)",
    "[a](blob:https://example.org/1)",
    "[a](file:///etc/passwd)",
    "[a](/admin/api/logout)",
    "[a](//evil.example)",
    "[a](#x)",
    "[a](https://box@evil.example)",
    "[a](https://box:443@evil.example)",
    "![a](javascript:alert(1))",
    "![a](data:image/svg+xml;base64,PHN2Zz4=)",
    "<javascript:alert(1)>",
    "<data:text/html,x>",
    "[a][b]\n\n[b]: javascript:alert(1)",
    "[a](  javascript:alert(1) 'title' )",
    "https://",
  ];

  it.each(LINKS)("%s is no link", (markdown) => expect(drawn(markdown).names).not.toContain("a"));

  it("leads only where it says that it leads", () => {
    const link = (markdown: string) => drawn(markdown).elements.find((element) => element.name === "a")?.props;
    expect(link("[tea](https://example.org/a?b=1&amp;c)")).toEqual({
      href: "https://example.org/a?b=1&c",
      title: "https://example.org/a?b=1&c",
      target: "_blank",
      rel: "noopener noreferrer",
    });
    expect(drawn("[https://bank.example](https://evil.example)").text).toBe("https://bank.example (evil.example)");
    expect(drawn("[tea](https://example.org)").text).toBe("tea (example.org)");
    expect(drawn("see https://example.org/a_b_c(d). Yes").text).toBe("see https://example.org/a_b_c(d). Yes");
    expect(link("see https://example.org/a_b_c(d). Yes")?.["href"]).toBe("https://example.org/a_b_c(d)");
    expect(link("<https://example.org>")?.["href"]).toBe("https://example.org/");
    expect(link("[mail](mailto:a@example.org)")?.["href"]).toBe("mailto:a@example.org");
    expect(link("![a picture](https://example.org/x.png)")?.["href"]).toBe("https://example.org/x.png");
    // A letter that looks like another is written in a way that does not.
    expect(drawn("[x](https://xn--80ak6aa92e.com)").text).toBe("x (xn--80ak6aa92e.com)");
  });
});

/** Each is 100 kB of what makes a reader of Markdown look at everything from everywhere. */
const HEAVY: Record<string, string> = Object.fromEntries(
  Object.entries({
    "[": "[",
    "](": "[a](",
    "![": "![",
    ">": ">",
    "> ": "> ",
    "*a": "*a ",
    _a: "_a",
    "**a *b": "**a *b ",
    "***": "*",
    "`": "`a``b```",
    "<": "<",
    "<a": "<a ",
    "<!--": "<!--",
    "- ": "- ",
    "1. ": "1. ",
    "> - ": "> - ",
    http: "http://a.",
    "a@": "a@",
    "a.": "a.",
    "&": "&",
    "\\": "\\",
    "\\(": "\\(",
    $: "$ a $b",
    spaces: " ",
    lines: "\n",
    "~a": "~a",
    "[[a](b)": "[[a](b)",
    "[a]: b": "[a]: b\n",
    setext: "a\n",
    tabs: "\t",
    table: "|x|y|\n",
    "|": "|",
    "```": "```\n",
    "~~~": "~~~a\n",
    "[\\": "[\\",
    "<div>": "<div>\n",
    "^": "^[a",
    nested: "*a **b ",
    h: "h",
  }).map(([name, of]) => [name, of.repeat(Math.ceil(100_000 / of.length))]),
);

describe("a hundred thousand characters", () => {
  // Each took far longer, or the stack, without its limit; the bound is wide, as tests share their machine.
  const BOUND_MS = 3000;

  it.each(Object.keys(HEAVY))("of %s are read soon", { timeout: 20_000 }, (name) => {
    const begun = performance.now();
    const shapes = [HEAVY[name]!, `a${HEAVY[name]}b`, `|a|b|\n|-|-|\n${HEAVY[name]}`];
    for (const text of shapes) {
      expect(
        lex(text)
          .map((token) => token.raw)
          .join("").length,
      ).toBeGreaterThan(0);
      drawn(text);
    }
    expect(performance.now() - begun).toBeLessThan(BOUND_MS);
  });

  it.each(["_a", "a.", " ", "[a](", "`a", "<a ", "\\(", "[\\"])(
    "of %s in many paragraphs are read soon",
    { timeout: 60_000 },
    (of) => {
      const paragraph = `x${of.repeat(Math.floor(19_990 / of.length))}@b`;
      const begun = performance.now();
      lex(`${paragraph}\n\n`.repeat(20));
      expect(performance.now() - begun).toBeLessThan(BOUND_MS);
    },
  );

  it("within each other stay text at some depth", () => {
    const depth = (markdown: string, name: string) => drawn(markdown).names.filter((each) => each === name).length;
    expect(depth("> ".repeat(500) + "a", "blockquote")).toBeLessThan(40);
    expect(depth(Array.from({ length: 500 }, (_, level) => `${"  ".repeat(level)}- a`).join("\n"), "ul")).toBeLessThan(
      40,
    );
    expect(drawn("> ".repeat(500) + "the end").text).toContain("the end");
  });
});

describe("an answer that grows", () => {
  const ANSWER =
    "# A\n\nOne *two*\nthree\n\n- a\n- b\n\n  c\n\n```py\nx = 1\n\ny\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n> q\n> r\n\nThe end\n===\n\n1. x\n\n\n2. y\n";

  it("ends as if it had been read at once", () => {
    const blocks = new Blocks();
    let last = blocks.of("");
    for (let end = 1; end <= ANSWER.length; end += 1) last = blocks.of(ANSWER.slice(0, end));
    const whole = lex(ANSWER);
    expect(last.map(({ token }) => [token.type, token.raw])).toEqual(whole.map((token) => [token.type, token.raw]));
  });

  it("is read again from its last block on alone", () => {
    const blocks = new Blocks();
    const [first] = blocks.of("one\n\ntwo\n\nthr");
    const [again] = blocks.of("one\n\ntwo\n\nthree");
    expect(again).toBe(first);
    expect(blocks.of("another")[0]!.token.raw).toBe("another");
  });

  it("that is one long list is not read again as a whole", () => {
    const blocks = new Blocks();
    const list = (items: number) =>
      Array.from({ length: items }, (_, index) => `${index + 1}. item ${index + 1}\n`).join("");
    const [first] = blocks.of(list(100));
    const grown = blocks.of(list(130));
    expect(grown[0]).toBe(first);
    expect(
      grown
        .map(({ token }) => token.raw)
        .join("")
        .trim(),
    ).toBe(list(130).trim());
    expect(grown.map(({ token }) => (token as { start?: number }).start)).toEqual([1, 91]);
  });

  it("draws no block again that stayed as it was", () => {
    const token = lex("one **two**")[0]!;
    const block = new Block({ token, live: false });
    block.props = { token, live: false };
    expect(block.shouldComponentUpdate({ token: lex("one **two**")[0]!, live: false })).toBe(false);
    expect(block.shouldComponentUpdate({ token: lex("one **two** three")[0]!, live: false })).toBe(true);
  });
});
