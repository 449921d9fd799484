// Another password for somebody who lost theirs.
import { useState } from "preact/hooks";
import { resetPassword, type Person } from "../../api/people";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { TextField } from "../../parts/field";
import { FormError, OwnPassword, confirmation, useForm } from "../../parts/form";
import { say } from "../../parts/notice";
import { words } from "../../words";

export function ResetPassword({ of: { name }, onClose }: { of: Person; onClose: () => void }) {
  const said = words.keys;
  const [password, setPassword] = useState("");
  const [own, setOwn] = useState("");
  const form = useForm("password", "confirm");
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const done = await form.send(() => resetPassword(name, { password, ...confirmation(own) }));
    if (!done) return;
    say(said.resetDone(name));
    onClose();
  };
  return (
    <Dialog title={said.resetTitle(name)} onClose={onClose}>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        <p>{said.resetText}</p>
        <TextField
          label={said.next}
          hint={said.firstPasswordHint}
          error={form.wrong("password")}
          required
          type="password"
          autocomplete="new-password"
          value={password}
          onValue={setPassword}
        />
        <OwnPassword form={form} value={own} onValue={setOwn} />
        <FormError of={form} />
        <div class="ends">
          <Button onClick={onClose}>{words.shell.cancel}</Button>
          <Button type="submit" kind="main" busy={form.busy}>
            {said.resetAct}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
