// A button with a few things to do behind it, which are shown over the page for as long as one chooses.
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { IconButton } from "./button";
import { Icon, type IconName } from "./icon";
import "./menu.css";

interface Choice {
  text: string;
  icon: IconName;
  act: () => void;
  danger?: boolean;
}

interface MenuProps {
  label: string;
  icon?: IconName;
  choices: Choice[];
  children?: ComponentChildren;
}

export function Menu({ label, icon = "more", choices }: MenuProps) {
  const button = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const id = useId();
  useEffect(() => {
    button.current?.setAttribute("popovertarget", id);
    button.current?.setAttribute("aria-haspopup", "menu");
  }, [id]);
  const place = (event: ToggleEvent): void => {
    if (event.newState !== "open" || !button.current || !list.current) return;
    const { top, bottom, right } = button.current.getBoundingClientRect();
    const { offsetHeight: height, offsetWidth: width } = list.current;
    const below = bottom + height + 8 <= innerHeight;
    list.current.style.top = `${below ? bottom + 4 : Math.max(8, top - height - 4)}px`;
    list.current.style.left = `${Math.max(8, Math.min(right - width, innerWidth - width - 8))}px`;
    list.current.querySelector("button")?.focus();
  };
  return (
    <>
      <IconButton buttonRef={button} icon={icon} label={label} />
      <div
        ref={list}
        id={id}
        class="menu"
        popover="auto"
        role="menu"
        aria-label={label}
        onToggle={(event) => place(event as unknown as ToggleEvent)}
        onKeyDown={(event) => move(event, list.current)}
      >
        {choices.map((choice) => (
          <button
            key={choice.text}
            type="button"
            role="menuitem"
            tabIndex={-1}
            class={choice.danger ? "danger" : ""}
            onClick={() => {
              list.current?.hidePopover();
              choice.act();
            }}
          >
            <Icon name={choice.icon} />
            {choice.text}
          </button>
        ))}
      </div>
    </>
  );
}

/** The arrows go from one to the next; the tabulator leaves. */
function move(event: KeyboardEvent, list: HTMLElement | null): void {
  if (event.key === "Tab") return list?.hidePopover();
  const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
  if (step === 0 || !list) return;
  event.preventDefault();
  const all = [...list.querySelectorAll("button")];
  const at = all.indexOf(document.activeElement as HTMLButtonElement);
  all[(at + step + all.length) % all.length]?.focus();
}
