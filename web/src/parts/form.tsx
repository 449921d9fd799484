// What a form is doing: whether it is being sent, and what was wrong with it, said beside the field that is at fault.
import { useState } from "preact/hooks";
import { me } from "../api/box";
import { Failure } from "../api/client";
import { words } from "../words";
import { TextField } from "./field";
import { Notice, reason } from "./notice";

export interface Form {
  busy: boolean;
  /** What was wrong with this field. */
  wrong: (field: string) => string | undefined;
  /** What was wrong, if none of the form's fields is at fault. */
  rest: string | undefined;
  /** Does the work of the form; what it throws is shown. Whether it was done. */
  send: (work: () => Promise<unknown>) => Promise<boolean>;
}

/** A form with these fields, by their names on the wire. */
export function useForm(...fields: string[]): Form {
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<unknown>();
  const at =
    failed instanceof Failure && failed.field !== undefined && fields.includes(failed.field) ? failed.field : undefined;
  return {
    busy,
    wrong: (field) => (at === field ? reason(failed) : undefined),
    rest: failed !== undefined && at === undefined ? reason(failed) : undefined,
    send: async (work) => {
      setBusy(true);
      setFailed(undefined);
      try {
        await work();
        return true;
      } catch (error) {
        setFailed(error);
        return false;
      } finally {
        setBusy(false);
      }
    },
  };
}

/** What was wrong with a form as a whole. */
export function FormError({ of }: { of: Form }) {
  return of.rest === undefined ? null : <Notice kind="bad">{of.rest}</Notice>;
}

/** Whether who is here signed in by a password, which they type again for what weighs much. */
export const signedIn = (): boolean => me.value?.kind === "person";

interface OwnPasswordProps {
  form: Form;
  value: string;
  onValue: (value: string) => void;
}

/** One's own password, typed again; nothing for whoever has none. */
export function OwnPassword({ form, value, onValue }: OwnPasswordProps) {
  if (!signedIn()) return null;
  return (
    <TextField
      label={words.shell.password}
      type="password"
      autocomplete="current-password"
      required
      error={form.wrong("confirm")}
      value={value}
      onValue={onValue}
    />
  );
}

/** What is sent for it. */
export const confirmation = (password: string): { confirm?: string } => (signedIn() ? { confirm: password } : {});
