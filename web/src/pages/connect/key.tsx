// A key for the examples: made here, and shown until the page is left.
import { useState } from "preact/hooks";
import type { Scope } from "../../api/box";
import { makeKey } from "../../api/keys";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { TextField } from "../../parts/field";
import { FormError, OwnPassword, confirmation, useForm } from "../../parts/form";
import { words } from "../../words";

/** What a program needs that talks with models. */
const SCOPES: Scope[] = ["infer", "models.read"];

interface MakeKeyProps {
  /** What it is called, if nobody says otherwise. */
  name: string;
  onMade: (key: string) => void;
  onClose: () => void;
}

export function MakeKey({ name: proposed, onMade, onClose }: MakeKeyProps) {
  const said = words.connect;
  const form = useForm("name", "confirm");
  const [name, setName] = useState(proposed);
  const [password, setPassword] = useState("");
  const submit = (event: Event): void => {
    event.preventDefault();
    void form.send(async () =>
      onMade((await makeKey({ name: name.trim(), scopes: SCOPES, ...confirmation(password) })).key),
    );
  };
  return (
    <Dialog title={said.makeTitle} onClose={onClose}>
      <form class="stack" onSubmit={submit}>
        <p class="small">{said.makeText}</p>
        <TextField
          label={said.makeName}
          hint={said.makeNameHint}
          error={form.wrong("name")}
          required
          autocomplete="off"
          value={name}
          onValue={setName}
        />
        <OwnPassword form={form} value={password} onValue={setPassword} />
        <FormError of={form} />
        <div class="ends">
          <Button onClick={onClose}>{words.shell.cancel}</Button>
          <Button type="submit" kind="main" busy={form.busy}>
            {said.makeAct}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
