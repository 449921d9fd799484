// Asks before something is done that cannot be undone, or that only the owner may do, who then types their password again.
import { signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { box } from "../api/box";
import { Failure } from "../api/client";
import { words } from "../words";
import { Button } from "./button";
import { Dialog } from "./dialog";
import { TextField } from "./field";
import { Marked } from "./marked";
import { reason } from "./notice";

export interface Question {
  title: string;
  text: string;
  /** What the button says that does it. */
  act: string;
  /** What the one says that does not, if not that it cancels. */
  cancel?: string;
  danger?: boolean;
  /** The password is asked for as well, unless somebody is here who has none to type. */
  password?: boolean;
  /** Does it; what it throws is shown, and the question stays. `confirm` is the password. */
  does: (confirm: string | undefined) => Promise<void>;
}

const asked = signal<Question | undefined>(undefined);

/** Asks; the page has one `Questions` that shows it. */
export function confirm(question: Question): void {
  asked.value = question;
}

export function Questions() {
  const question = asked.value;
  return question && <Asked key={question} question={question} />;
}

function Asked({ question }: { question: Question }) {
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string>();
  const typed = question.password && box.value?.me?.kind === "person";
  const close = (): void => {
    asked.value = undefined;
  };
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      await question.does(typed ? password : undefined);
      if (asked.peek() === question) close();
    } catch (failed) {
      setError(failed instanceof Failure ? reason(failed) : words.shell.unreachable);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog title={question.title} onClose={close}>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        <p>{question.text}</p>
        {typed && (
          <TextField
            label={words.shell.password}
            type="password"
            autocomplete="current-password"
            required
            value={password}
            onValue={setPassword}
          />
        )}
        {error && (
          <p class="wrong" role="alert">
            <Marked text={error} />
          </p>
        )}
        <div class="ends">
          <Button onClick={close}>{question.cancel ?? words.shell.cancel}</Button>
          <Button type="submit" kind={question.danger ? "danger" : "main"} busy={busy}>
            {question.act}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
