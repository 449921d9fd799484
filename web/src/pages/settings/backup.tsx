// The box in one file.
import { useState } from "preact/hooks";
import { backup } from "../../api/upkeep";
import { Button } from "../../parts/button";
import { TextField } from "../../parts/field";
import { keep } from "../../parts/file";
import { FormError, OwnPassword, confirmation, useForm } from "../../parts/form";
import { say } from "../../parts/notice";
import { words } from "../../words";

const EMPTY = { passphrase: "", again: "", own: "" };

export function Backup() {
  const said = words.settings;
  const [draft, setDraft] = useState(EMPTY);
  const form = useForm("passphrase", "confirm");
  const change = (change: Partial<typeof EMPTY>): void => setDraft({ ...draft, ...change });
  const different = draft.again !== draft.passphrase;
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (different) return;
    await form.send(async () => {
      const { passphrase, own } = draft;
      const { name, file } = await backup({ ...(passphrase !== "" && { passphrase }), ...confirmation(own) });
      keep(name, file);
      setDraft(EMPTY);
      say(said.backupDone(name));
    });
  };
  return (
    <section class="card stack" aria-labelledby="backup">
      <h2 id="backup">{said.backup}</h2>
      <p>{said.backupText}</p>
      <form class="stack narrow" onSubmit={(event) => void submit(event)}>
        <TextField
          label={said.passphrase}
          hint={said.passphraseHint}
          error={form.wrong("passphrase")}
          type="password"
          autocomplete="new-password"
          value={draft.passphrase}
          onValue={(passphrase) => change({ passphrase })}
        />
        {draft.passphrase !== "" && (
          <TextField
            label={said.passphraseAgain}
            error={draft.again !== "" && different ? said.different : undefined}
            required
            type="password"
            autocomplete="new-password"
            value={draft.again}
            onValue={(again) => change({ again })}
          />
        )}
        <OwnPassword form={form} value={draft.own} onValue={(own) => change({ own })} />
        <FormError of={form} />
        <div>
          <Button type="submit" kind="main" icon="download" busy={form.busy}>
            {said.backupAct}
          </Button>
        </div>
      </form>
    </section>
  );
}
