// Dialogs over the page: the browser keeps the focus within; it goes back to where it was.
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { words } from "../words";
import { IconButton } from "./button";
import "./dialog.css";

interface DialogProps {
  title: string;
  /** Asked for by Escape, by the cross, or by a button within. */
  onClose: () => void;
  wide?: boolean;
  children: ComponentChildren;
}

/** Open for as long as it is shown. */
export function Dialog({ title, onClose, wide, children }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current;
    const before = document.activeElement;
    if (dialog && !dialog.open) dialog.showModal();
    return () => {
      dialog?.close();
      // It may be out of the document by now, and gives nothing back then.
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      class={wide ? "wide" : ""}
      aria-labelledby={id}
      // Browsers close one by a second Escape, whatever is said to the first.
      onKeyDown={(event) => {
        if (event.key !== "Escape" || event.isComposing || event.defaultPrevented) return;
        event.preventDefault();
        event.stopPropagation();
        onClose();
      }}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <header>
        <h2 id={id}>{title}</h2>
        <IconButton icon="close" label={words.shell.close} onClick={onClose} />
      </header>
      <div class="stack">{children}</div>
    </dialog>
  );
}
