// Fields of forms: each with its label, what it takes, and what was wrong with it, which readers hear with it.
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { Marked } from "./marked";
import "./field.css";

interface Common {
  label: string;
  hint?: ComponentChildren;
  error?: string | undefined;
  /** The label is for readers alone. */
  unseen?: boolean;
}

interface TextProps extends Common {
  value: string;
  onValue: (value: string) => void;
  type?: "text" | "password" | "search" | "date";
  inputMode?: "text" | "numeric" | "decimal";
  mono?: boolean;
  placeholder?: string;
  autocomplete?: AutoFill;
  required?: boolean;
  disabled?: boolean;
  maxLength?: number;
  spellcheck?: boolean;
  list?: string;
}

type AutoFill = "off" | "username" | "current-password" | "new-password" | "one-time-code";

/** One line of text. */
export function TextField({ label, hint, error, unseen, value, onValue, mono, type = "text", ...rest }: TextProps) {
  return (
    <Field {...{ label, hint, error, unseen }}>
      {(ids) => (
        <input
          {...rest}
          {...ids}
          type={type as "text"}
          class={mono ? "mono" : ""}
          value={value}
          onInput={(event) => onValue(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}

interface LongTextProps extends Common {
  value: string;
  onValue: (value: string) => void;
  rows?: number;
  mono?: boolean;
  placeholder?: string;
  required?: boolean;
  spellcheck?: boolean;
}

/** Several lines of text. */
export function LongTextField({ label, hint, error, unseen, value, onValue, mono, ...rest }: LongTextProps) {
  return (
    <Field {...{ label, hint, error, unseen }}>
      {(ids) => (
        <textarea
          {...rest}
          {...ids}
          class={mono ? "mono" : ""}
          value={value}
          onInput={(event) => onValue(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}

interface ChoiceProps<V extends string> extends Common {
  value: V;
  onValue: (value: V) => void;
  options: { value: V; text: string }[];
  disabled?: boolean;
}

/** One of a few. */
export function ChoiceField<V extends string>({
  label,
  hint,
  error,
  unseen,
  value,
  onValue,
  options,
  disabled,
}: ChoiceProps<V>) {
  return (
    <Field {...{ label, hint, error, unseen }}>
      {(ids) => (
        <select
          {...ids}
          disabled={disabled}
          value={value}
          onChange={(event) => onValue(event.currentTarget.value as V)}
        >
          {options.map((option) => (
            <option key={option.value} value={option.value}>
              {option.text}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

interface TickProps {
  label: ComponentChildren;
  hint?: ComponentChildren;
  checked: boolean;
  onChecked: (checked: boolean) => void;
  disabled?: boolean;
}

/** Yes or no. */
export function TickField({ label, hint, checked, onChecked, disabled }: TickProps) {
  const id = useId();
  return (
    <div class="tick">
      <input
        id={id}
        type="checkbox"
        checked={checked}
        disabled={disabled}
        aria-describedby={hint ? `${id}-hint` : undefined}
        onChange={(event) => onChecked(event.currentTarget.checked)}
      />
      <label for={id}>{label}</label>
      {hint && (
        <p id={`${id}-hint`} class="hint">
          {hint}
        </p>
      )}
    </div>
  );
}

interface Ids {
  id: string;
  "aria-invalid": boolean | undefined;
  "aria-describedby": string | undefined;
}

function Field({ label, hint, error, unseen, children }: Common & { children: (ids: Ids) => ComponentChildren }) {
  const id = useId();
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  return (
    <div class="field">
      <label for={id} class={unseen ? "unseen" : ""}>
        {label}
      </label>
      {children({ id, "aria-invalid": error ? true : undefined, "aria-describedby": described || undefined })}
      {hint && (
        <p id={`${id}-hint`} class="hint">
          {hint}
        </p>
      )}
      {error && (
        <p id={`${id}-error`} class="wrong" role="alert">
          <Marked text={error} />
        </p>
      )}
    </div>
  );
}
