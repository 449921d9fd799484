// Markdown of a model as nodes: tokens in, elements out. Nothing of it is ever markup: what is written as HTML is shown as text,
// and a link leads to a page or to mail, or is text. Reading it is `markdown-lexer`'s.
import type { MarkedToken, Token, Tokens } from "marked";
import { Component, type ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import { Code } from "./code";
import { decoded, destination } from "./markdown-text";
import { Blocks, unixLines, whole } from "./markdown-lexer";
import "./markdown.css";

export interface MarkdownProps {
  text: string;
  /** More is to come. */
  live?: boolean;
}

export function Markdown({ text, live = false }: MarkdownProps) {
  const blocks = useMemo(() => new Blocks(), []);
  const read = unixLines(text);
  // At its end it is read as a whole: a link may be defined below where it is used.
  const shown = useMemo(() => (live ? blocks.of(read) : whole(read)), [read, live]);
  const last = shown.at(-1)?.key;
  return (
    <div class="markdown">
      {shown.map(({ key, token }) => (
        <Block key={key} token={token} live={live && key === last} />
      ))}
    </div>
  );
}

/** All nodes of a text that is whole. */
export function nodes(text: string): ComponentChildren {
  return whole(unixLines(text)).map(({ key, token }) => <Block key={key} token={token} />);
}

interface TokenProps {
  token: Token;
  live?: boolean;
}

/** A token that is drawn again only if it was written otherwise. */
abstract class Drawn<P extends TokenProps> extends Component<P> {
  override shouldComponentUpdate(next: P): boolean {
    return next.token.raw !== this.props.token.raw || next.live !== this.props.live;
  }
}

/** One block. */
export class Block extends Drawn<TokenProps> {
  override render({ token, live = false }: TokenProps) {
    return block(token, live);
  }
}

function block(any: Token, live: boolean): ComponentChildren {
  const token = any as MarkedToken;
  switch (token.type) {
    case "space":
    case "def":
      return null;
    case "paragraph":
      return <p>{spans(token.tokens)}</p>;
    case "text":
      return token.tokens ? spans(token.tokens) : decoded(token.text);
    case "heading":
      return heading(token);
    case "hr":
      return <hr />;
    case "blockquote":
      return <blockquote>{inner(token.tokens, live)}</blockquote>;
    case "list":
      return list(token, live);
    case "code":
      return <Code text={token.text} language={token.lang} live={live} />;
    case "table":
      return table(token);
    default:
      // HTML, and whatever the lexer may come to know.
      return <p class="raw">{any.raw.trim()}</p>;
  }
}

/** Blocks within a block; only the last can be growing. */
function inner(tokens: Token[], live: boolean): ComponentChildren {
  return tokens.map((token, index) => <Block key={index} token={token} live={live && index === tokens.length - 1} />);
}

/** The page and the talk have headings of their own, above any of the model's. */
function heading({ depth, tokens }: Tokens.Heading): ComponentChildren {
  if (depth <= 1) return <h3 class="large">{spans(tokens)}</h3>;
  if (depth === 2) return <h3>{spans(tokens)}</h3>;
  return depth === 3 ? <h4>{spans(tokens)}</h4> : <h5>{spans(tokens)}</h5>;
}

function list({ ordered, start, items }: Tokens.List, live: boolean): ComponentChildren {
  const all = items.map((item, index) => <Item key={index} token={item} live={live && index === items.length - 1} />);
  return ordered ? <ol start={start === "" ? 1 : start}>{all}</ol> : <ul>{all}</ul>;
}

class Item extends Drawn<{ token: Tokens.ListItem; live: boolean }> {
  override render({ token, live }: { token: Tokens.ListItem; live: boolean }) {
    if (!token.task) return <li>{inner(token.tokens, live)}</li>;
    return (
      <li class="task">
        <span aria-hidden="true">{token.checked ? "☑" : "☐"}</span>{" "}
        {inner(
          token.tokens.filter((each) => each.type !== "checkbox"),
          live,
        )}
      </li>
    );
  }
}

function table({ header, rows, align }: Tokens.Table): ComponentChildren {
  const side = (index: number) => (align[index] ? { textAlign: align[index] } : {});
  return (
    <div class="wide" tabIndex={0}>
      <table>
        <thead>
          <tr>
            {header.map((cell, index) => (
              <th key={index} scope="col" style={side(index)}>
                {spans(cell.tokens)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <Row
              key={index}
              token={{ type: "row", raw: row.map((cell) => cell.text).join("|") }}
              cells={row}
              side={side}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface RowProps extends TokenProps {
  cells: Tokens.TableCell[];
  side: (index: number) => { textAlign?: string };
}

class Row extends Drawn<RowProps> {
  override render({ cells, side }: RowProps) {
    return (
      <tr>
        {cells.map((cell, index) => (
          <td key={index} style={side(index)}>
            {spans(cell.tokens)}
          </td>
        ))}
      </tr>
    );
  }
}

function spans(tokens: Token[]): ComponentChildren {
  return tokens.map((token) => span(token));
}

function span(any: Token): ComponentChildren {
  const token = any as MarkedToken;
  switch (token.type) {
    case "text":
      return token.escaped ? token.text : decoded(token.text);
    case "escape":
      return token.text;
    case "strong":
      return <strong>{spans(token.tokens)}</strong>;
    case "em":
      return <em>{spans(token.tokens)}</em>;
    case "del":
      return <del>{spans(token.tokens)}</del>;
    case "codespan":
      return <code>{token.text}</code>;
    case "br":
      return <br />;
    case "link":
      return link(token.href, spans(token.tokens), token);
    case "image":
      return link(token.href, decoded(token.text) || token.href, token);
    case "html":
      // The one tag that tables cannot do without, and which says nothing.
      return /^<br\s*\/?>$/i.test(token.raw) ? <br /> : token.raw;
    default:
      return <span class="raw">{any.raw}</span>;
  }
}

/** A link that says where it leads; one that leads nowhere known is text. */
function link(href: string, text: ComponentChildren, token: { raw: string; text: string }): ComponentChildren {
  const to = destination(href);
  if (!to) return token.raw;
  const written = token.text.includes(to.host);
  return (
    <>
      <a href={to.href} title={to.href} target="_blank" rel="noopener noreferrer">
        {text}
      </a>
      {!written && <span class="host"> ({to.host})</span>}
    </>
  );
}
