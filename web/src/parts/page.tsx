// What every page has: a title, which readers are taken to, what can be done at its head, and how it says that it waits or failed.
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { box } from "../api/box";
import { words } from "../words";
import { Button } from "./button";
import type { Asked } from "./asked";
import { Notice, reason } from "./notice";
import "./page.css";

interface PageProps {
  title: string;
  /** Buttons beside the title. */
  actions?: ComponentChildren;
  children: ComponentChildren;
}

export function Page({ title, actions, children }: PageProps) {
  const heading = useTitle(title);
  return (
    <div class="page">
      <header class="row apart">
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {actions && <div class="row">{actions}</div>}
      </header>
      {children}
    </div>
  );
}

let first = true;

/** Names the window after a page, and takes the focus to its heading, but for the first one. */
export function useTitle(title: string) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · ${box.value?.name ?? "Hob"}`;
  }, [title]);
  useEffect(() => {
    if (!first) heading.current?.focus({ preventScroll: true });
    first = false;
  }, []);
  return heading;
}

/** Shows what was asked for once it is there; until then that it is waited for, or why it is not there. */
export function Loaded<T>({ of, children }: { of: Asked<T>; children: (value: T) => ComponentChildren }) {
  const { value, error } = of;
  return (
    <>
      {error !== undefined && (
        <Notice kind="bad">
          {words.shell.failedToLoad} {reason(error)} <Button onClick={of.again}>{words.shell.again}</Button>
        </Notice>
      )}
      {value === undefined ? error === undefined && <p class="quiet">{words.shell.loading}</p> : children(value)}
    </>
  );
}
