// Adding somebody: a name, a first password, and whether they are a member or an owner.
import { useState } from "preact/hooks";
import { addPerson, type Role } from "../../api/people";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { ChoiceField, TextField } from "../../parts/field";
import { FormError, OwnPassword, confirmation, useForm } from "../../parts/form";
import { say } from "../../parts/notice";
import { words } from "../../words";

const ROLES: readonly Role[] = ["member", "owner"];

export function AddPerson({ onClose, onAdded }: { onClose: () => void; onAdded: () => void }) {
  const said = words.keys;
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [role, setRole] = useState<Role>("member");
  const [own, setOwn] = useState("");
  const form = useForm("name", "password", "role", "confirm");
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const done = await form.send(() => addPerson({ name: name.trim(), password, role, ...confirmation(own) }));
    if (!done) return;
    say(said.added(name.trim()));
    onAdded();
  };
  return (
    <Dialog title={said.addTitle} onClose={onClose}>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        <TextField
          label={said.personName}
          hint={said.personNameHint}
          error={form.wrong("name")}
          required
          autocomplete="off"
          spellcheck={false}
          value={name}
          onValue={setName}
        />
        <ChoiceField
          label={said.role}
          hint={said.rolesAbout[role]}
          error={form.wrong("role")}
          value={role}
          onValue={setRole}
          options={ROLES.map((value) => ({ value, text: said.roles[value] }))}
        />
        <TextField
          label={said.firstPassword}
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
            {said.add}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
