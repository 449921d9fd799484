// A block of code: its language, a button that copies it, and colours, which come once it is whole.
import { useEffect, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { words } from "../words";
import { CopyButton } from "./copy";
import "./code.css";

interface CodeProps {
  text: string;
  /** As it stands behind the fence. */
  language?: string | undefined;
  /** More is to come. */
  live?: boolean;
}

/** Colouring more than this would be felt. */
const MOST_COLOURED = 30_000;

export function Code({ text, language, live = false }: CodeProps) {
  const name = /^[\w+#.-]{1,30}/.exec(language ?? "")?.[0] ?? "";
  const coloured = useColours(text, name, live);
  return (
    <figure class="code">
      <figcaption>
        <span>{name || words.chat.code}</span>
        <CopyButton text={text} label={words.chat.copyCode} />
      </figcaption>
      <pre tabIndex={0}>
        <code>{coloured ?? text}</code>
      </pre>
    </figure>
  );
}

function useColours(text: string, language: string, live: boolean): ComponentChildren {
  const [coloured, setColoured] = useState<{ text: string; nodes: ComponentChildren }>();
  useEffect(() => {
    if (live || language === "" || text.length > MOST_COLOURED) return;
    let gone = false;
    const colour = async (): Promise<void> => {
      const { coloured } = await import("./highlight");
      // After what is to be seen at once.
      await new Promise((resolve) => setTimeout(resolve));
      if (gone) return;
      const nodes = coloured(language, text);
      if (nodes !== undefined) setColoured({ text, nodes });
    };
    // Without colours it reads as well.
    colour().catch(() => undefined);
    return () => void (gone = true);
  }, [text, language, live]);
  return coloured?.text === text ? coloured.nodes : undefined;
}
