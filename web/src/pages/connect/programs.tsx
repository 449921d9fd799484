// The programs, of which one is shown at a time. The arrows go from tab to tab, as everywhere.
import type { ComponentChildren } from "preact";
import { useId, useRef } from "preact/hooks";
import "./programs.css";

export interface ProgramsProps<V extends string> {
  label: string;
  tabs: { value: V; text: string }[];
  value: V;
  onValue: (value: V) => void;
  /** The panel of the tab that is chosen. */
  children: ComponentChildren;
}

export function Programs<V extends string>({ label, tabs, value, onValue, children }: ProgramsProps<V>) {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const move = (event: KeyboardEvent): void => {
    const at = tabs.findIndex((tab) => tab.value === value);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = (to + tabs.length) % tabs.length;
    onValue(tabs[next]!.value);
    list.current?.querySelectorAll<HTMLElement>("[role=tab]")[next]?.focus();
  };
  return (
    <div class="programs">
      <div ref={list} role="tablist" aria-label={label} onKeyDown={move}>
        {tabs.map((tab) => (
          <button
            key={tab.value}
            type="button"
            role="tab"
            id={`${id}-${tab.value}`}
            aria-selected={tab.value === value}
            aria-controls={`${id}-panel`}
            tabIndex={tab.value === value ? 0 : -1}
            onClick={() => onValue(tab.value)}
          >
            {tab.text}
          </button>
        ))}
      </div>
      <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${value}`} tabIndex={0} class="stack">
        {children}
      </div>
    </div>
  );
}
