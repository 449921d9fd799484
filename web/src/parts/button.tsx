// Buttons: with words, or with a picture alone, which then has a label.
import type { ComponentChildren, Ref } from "preact";
import { Icon, type IconName } from "./icon";
import "./button.css";

interface Common {
  onClick?: (event: MouseEvent) => void;
  disabled?: boolean;
  /** Something that it began is under way. */
  busy?: boolean;
  kind?: "main" | "plain" | "bare" | "danger";
  type?: "button" | "submit";
  class?: string;
  buttonRef?: Ref<HTMLButtonElement>;
  expanded?: boolean;
  pressed?: boolean;
}

interface ButtonProps extends Common {
  icon?: IconName;
  children: ComponentChildren;
}

export function Button({ icon, children, kind = "plain", ...rest }: ButtonProps) {
  return (
    <Bare {...rest} kind={kind}>
      {icon && <Icon name={icon} />}
      <span>{children}</span>
    </Bare>
  );
}

interface IconButtonProps extends Common {
  icon: IconName;
  /** What it does, for who cannot see the picture, and shown to who waits over it. */
  label: string;
}

export function IconButton({ icon, label, kind = "bare", ...rest }: IconButtonProps) {
  return (
    <Bare {...rest} kind={kind} label={label} square>
      <Icon name={icon} />
    </Bare>
  );
}

interface BareProps extends Common {
  label?: string;
  square?: boolean;
  children: ComponentChildren;
}

function Bare({
  label,
  square,
  kind,
  busy,
  type = "button",
  buttonRef,
  expanded,
  pressed,
  children,
  ...rest
}: BareProps) {
  const classes = ["button", kind, square && "square", rest.class].filter(Boolean).join(" ");
  return (
    <button
      ref={buttonRef ?? null}
      type={type}
      class={classes}
      disabled={rest.disabled || busy}
      aria-busy={busy}
      aria-label={label}
      title={label}
      aria-expanded={expanded}
      aria-pressed={pressed}
      onClick={rest.onClick}
    >
      {children}
    </button>
  );
}
