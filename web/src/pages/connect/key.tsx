// A key for the examples: made here, and shown until the page is left.
import { useState } from "preact/hooks";
import { me } from "../../api/box";
import { ask, Failure } from "../../api/client";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { TextField } from "../../parts/field";
import { Notice, reason } from "../../parts/notice";
import { words } from "../../words";

/** What a program needs that talks with models. */
const SCOPES = ["infer", "models.read"];

interface MakeKeyProps {
  /** What it is called, if nobody says otherwise. */
  name: string;
  onMade: (key: string) => void;
  onClose: () => void;
}

export function MakeKey({ name: proposed, onMade, onClose }: MakeKeyProps) {
  const said = words.connect;
  const [name, setName] = useState(proposed);
  const [confirm, setConfirm] = useState("");
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<unknown>();
  const typed = me.value?.kind === "person";
  const field = failed instanceof Failure ? failed.field : undefined;
  const wrong = (name: string): string | undefined => (field === name ? reason(failed) : undefined);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setFailed(undefined);
    try {
      const made = await ask<{ key: string }>("POST", "/admin/api/keys", { name: name.trim(), scopes: SCOPES, ...(typed && { confirm }) });
      onMade(made.key);
    } catch (error) {
      setFailed(error);
      setBusy(false);
    }
  };
  return (
    <Dialog title={said.makeTitle} onClose={onClose}>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        <p class="small">{said.makeText}</p>
        <TextField label={said.makeName} hint={said.makeNameHint} error={wrong("name")} required autocomplete="off" value={name} onValue={setName} />
        {typed && <TextField label={words.shell.password} error={wrong("confirm")} required type="password" autocomplete="current-password" value={confirm} onValue={setConfirm} />}
        {failed !== undefined && field !== "name" && field !== "confirm" && <Notice kind="bad">{reason(failed)}</Notice>}
        <div class="ends">
          <Button onClick={onClose}>{words.shell.cancel}</Button>
          <Button type="submit" kind="main" busy={busy}>
            {said.makeAct}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
