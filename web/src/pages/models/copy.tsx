// The same model by another name.
import { useState } from "preact/hooks";
import { copyModel } from "../../api/models";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { TextField } from "../../parts/field";
import { reason, say } from "../../parts/notice";
import { go } from "../../place";
import { words } from "../../words";
import { pathOf } from "./paths";

export function Copy({ from, onClose }: { from: string; onClose: () => void }) {
  const said = words.models;
  const [name, setName] = useState("");
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<unknown>();
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    try {
      await copyModel(from, name.trim());
      say(said.copied(name.trim()));
      onClose();
      go(pathOf(name.trim()));
    } catch (error) {
      setFailed(error);
      setBusy(false);
    }
  };
  return (
    <Dialog title={said.copyTitle(from)} onClose={onClose}>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        <p class="small quiet">{said.copyTextBody}</p>
        <TextField label={said.copyName} error={failed === undefined ? undefined : reason(failed)} required mono autocomplete="off" spellcheck={false} value={name} onValue={setName} />
        <div class="ends">
          <Button onClick={onClose}>{words.shell.cancel}</Button>
          <Button type="submit" kind="main" busy={busy}>
            {said.copy}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
