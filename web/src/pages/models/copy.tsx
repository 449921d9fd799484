// The same model by another name.
import { useState } from "preact/hooks";
import { copyModel } from "../../api/models";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { TextField } from "../../parts/field";
import { FormError, useForm } from "../../parts/form";
import { say } from "../../parts/notice";
import { go } from "../../place";
import { words } from "../../words";
import { pathOf } from "./paths";

export function Copy({ from, onClose }: { from: string; onClose: () => void }) {
  const said = words.models;
  const form = useForm();
  const [typed, setName] = useState("");
  const name = typed.trim();
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (!(await form.send(() => copyModel(from, name)))) return;
    say(said.copied(name));
    onClose();
    go(pathOf(name));
  };
  return (
    <Dialog title={said.copyTitle(from)} onClose={onClose}>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        <p class="small quiet">{said.copyTextBody}</p>
        <TextField
          label={said.copyName}
          required
          mono
          autocomplete="off"
          spellcheck={false}
          value={typed}
          onValue={setName}
        />
        <FormError of={form} />
        <div class="ends">
          <Button onClick={onClose}>{words.shell.cancel}</Button>
          <Button type="submit" kind="main" busy={form.busy}>
            {said.copy}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
