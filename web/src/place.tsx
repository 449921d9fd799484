// Where in the page one is: the path of the address, and links that change it without asking the box.
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";

/** The path, and what stands after its question mark. */
export const place = signal(read());

function read(): { path: string; query: URLSearchParams } {
  return { path: location.pathname, query: new URLSearchParams(location.search) };
}

addEventListener("popstate", () => (place.value = read()));

/** Goes there; `replace` leaves no trace of where one was. */
export function go(to: string, replace = false): void {
  if (to !== location.pathname + location.search) history[replace ? "replaceState" : "pushState"](null, "", to);
  place.value = read();
}

interface LinkProps {
  to: string;
  class?: string;
  children: ComponentChildren;
  /** The link leads to where one is. */
  current?: boolean;
  label?: string;
  onGo?: () => void;
}

/** A link within the page. */
export function Link({ to, children, current, label, onGo, ...rest }: LinkProps) {
  const follow = (event: MouseEvent): void => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    onGo?.();
    go(to);
  };
  return (
    <a {...rest} href={to} onClick={follow} aria-label={label} aria-current={current ? "page" : undefined}>
      {children}
    </a>
  );
}
