// A box of a backup: the file is checked by the box, which says what it has and what it lacks, and takes effect at a restart.
import { useState } from "preact/hooks";
import { restore, type Restored } from "../../api/upkeep";
import { bytes, moment } from "../../format";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { TextField } from "../../parts/field";
import { FileField } from "../../parts/file";
import { FormError, OwnPassword, confirmation, useForm } from "../../parts/form";
import { Notice } from "../../parts/notice";
import { words } from "../../words";
import { awaitRestart, now, useBack, type Since } from "./restart";

export function Restore() {
  const said = words.settings;
  const [file, setFile] = useState<File>();
  const [passphrase, setPassphrase] = useState("");
  const [own, setOwn] = useState("");
  const [begun, setBegun] = useState<{ restored: Restored; since: Since }>();
  const form = useForm("passphrase", "confirm");
  const submit = (event: Event): void => {
    event.preventDefault();
    if (!file) return;
    void form.send(async () => {
      const since = await now();
      setBegun({ restored: await restore(file, { passphrase, ...confirmation(own) }), since });
    });
  };
  const onward = (since: Since): void => {
    setBegun(undefined);
    awaitRestart(since);
  };
  return (
    <section class="card stack" aria-labelledby="restore">
      <h2 id="restore">{said.restore}</h2>
      <p>{said.restoreText}</p>
      <form class="stack narrow" onSubmit={submit}>
        <FileField label={said.file} accept=".hobbackup" required onFile={setFile} />
        <TextField
          label={said.passphrase}
          hint={said.restorePassphraseHint}
          error={form.wrong("passphrase")}
          type="password"
          autocomplete="off"
          value={passphrase}
          onValue={setPassphrase}
        />
        <OwnPassword form={form} value={own} onValue={setOwn} />
        <FormError of={form} />
        <div>
          <Button type="submit" icon="upload" busy={form.busy} disabled={!file}>
            {said.restoreAct}
          </Button>
        </div>
      </form>
      {begun && <Begun {...begun} onBack={() => setBegun(undefined)} onClose={() => onward(begun.since)} />}
    </section>
  );
}

interface BegunProps {
  restored: Restored;
  since: Since;
  onBack: () => void;
  onClose: () => void;
}

/** What the box begins anew with. It is there until the box is back; what is lacking is read in peace. */
function Begun({ restored, since, onBack, onClose }: BegunProps) {
  const said = words.settings;
  const { box, made, version } = restored;
  const lacking = restored.models.filter((model) => model.lacks.length > 0);
  useBack(since, () => {
    if (lacking.length === 0 && restored.left_out.length === 0) onBack();
  });
  return (
    <Dialog title={said.restore} onClose={onClose}>
      <Notice kind="good">{said.restoreReady}</Notice>
      <p>{box ? said.restoreOf(box.label, moment(made), version) : said.restoreOfNobody(moment(made), version)}</p>
      <ul>
        <li>{said.restoreHas(restored.people, restored.keys, restored.peers)}</li>
        {restored.settings && <li>{said.restoreSettings}</li>}
        <li>{restored.identity ? said.restoreIdentity : said.restoreNoIdentity}</li>
        {lacking.length === 0 && <li>{said.restoreComplete}</li>}
      </ul>
      {lacking.length > 0 && (
        <>
          <p>{said.restoreLacks}</p>
          <ul>
            {lacking.map(({ name, lacks }) => (
              <li key={name}>
                {name} <span class="quiet">{bytes(lacks.reduce((sum, blob) => sum + blob.bytes, 0))}</span>
              </li>
            ))}
          </ul>
        </>
      )}
      {restored.left_out.length > 0 && (
        <>
          <p>{said.restoreLeftOut}</p>
          <ul>
            {restored.left_out.map((what) => (
              <li key={what}>{said.leftOut[what] ?? what}</li>
            ))}
          </ul>
        </>
      )}
      <div class="ends">
        <Button kind="main" onClick={onClose}>
          {said.onward}
        </Button>
      </div>
    </Dialog>
  );
}
