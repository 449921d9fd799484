// Files: one that is chosen here, and one that is kept here.
import { useId } from "preact/hooks";

interface FileProps {
  label: string;
  hint?: string;
  error?: string | undefined;
  accept?: string;
  required?: boolean;
  onFile: (file: File | undefined) => void;
}

/** A file of this device. */
export function FileField({ label, hint, error, onFile, ...rest }: FileProps) {
  const id = useId();
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        {...rest}
        id={id}
        type="file"
        aria-invalid={error ? true : undefined}
        aria-describedby={described || undefined}
        onChange={(event) => onFile(event.currentTarget.files?.[0])}
      />
      {hint && (
        <p id={`${id}-hint`} class="hint">
          {hint}
        </p>
      )}
      {error && (
        <p id={`${id}-error`} class="wrong" role="alert">
          {error}
        </p>
      )}
    </div>
  );
}

/** Has the browser keep something as a file. */
export function keep(name: string, content: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  // The browser reads it after this.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
