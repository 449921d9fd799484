// How much of something: a bar, and one of several parts with what each is.
import "./meter.css";

interface MeterProps {
  label: string;
  value: number;
  max: number;
  /** What readers hear and who looks sees beside it, as "1.2 of 4 GB". */
  text: string;
}

/** How far something has come. */
export function Progress({ label, value, max, text }: MeterProps) {
  return (
    <div class="meter">
      <progress aria-label={label} aria-valuetext={text} max={max || 1} {...(max > 0 && { value })} />
      <span class="small quiet">{text}</span>
    </div>
  );
}

export interface Part {
  name: string;
  value: number;
  /** The value as people read it. */
  text: string;
  /** One of the colours of `meter.css`. */
  colour: "ember" | "blue" | "good" | "warn" | "ink" | "quiet" | "line" | "free";
}

/** A whole in its parts. */
export function Parts({ label, parts, max }: { label: string; parts: Part[]; max: number }) {
  const shown = parts.filter((part) => part.value > 0);
  return (
    <div class="parts" role="group" aria-label={label}>
      <div class="bar" aria-hidden="true">
        {shown.map((part) => (
          <span
            key={part.name}
            class={part.colour}
            style={{ flexGrow: `${part.value / (max || 1)}` }}
            title={`${part.name}: ${part.text}`}
          />
        ))}
      </div>
      <ul>
        {shown.map((part) => (
          <li key={part.name}>
            <span class={`dot ${part.colour}`} aria-hidden="true" />
            {part.name} <span class="quiet">{part.text}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
