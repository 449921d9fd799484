// Text to be taken along: a line or a block of it, with a button that copies it.
import { useEffect, useState } from "preact/hooks";
import { words } from "../words";
import { Button, IconButton } from "./button";
import { say } from "./notice";
import "./copy.css";

/** Copies a text. Where the browser does not let us, the reader is told. */
export async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    say(words.shell.notCopied, "warning");
    return false;
  }
}

interface CopyProps {
  text: string;
  /** What is copied, as "copy the key". */
  label: string;
  /** The button shows the words too. */
  wide?: boolean;
  /** Called once it is copied. */
  onCopied?: () => void;
}

/** A button that copies, and says that it did. */
export function CopyButton({ text, label, wide, onCopied }: CopyProps) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const back = setTimeout(() => setCopied(false), 2000);
    return () => clearTimeout(back);
  }, [copied]);
  const act = (): void =>
    void copy(text).then((done) => {
      setCopied(done);
      if (done) onCopied?.();
    });
  const icon = copied ? "check" : "copy";
  return (
    <>
      {wide ? (
        <Button icon={icon} onClick={act}>
          {copied ? words.shell.copied : label}
        </Button>
      ) : (
        <IconButton icon={icon} label={copied ? words.shell.copied : label} onClick={act} />
      )}
      <span class="unseen" role="status">
        {copied ? words.shell.copied : ""}
      </span>
    </>
  );
}

/** A text in a typewriter's letters with its button beside it. */
export function Copyable({ text, label, onCopied }: CopyProps) {
  return (
    <div class="copyable">
      <pre tabIndex={0}>
        <code>{text}</code>
      </pre>
      <CopyButton text={text} label={label} {...(onCopied && { onCopied })} />
    </div>
  );
}
