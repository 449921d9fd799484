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
import { RestartButton } from "./restart";

export function Restore({ drain }: { drain: string }) {
  const said = words.settings;
  const [file, setFile] = useState<File>();
  const [passphrase, setPassphrase] = useState("");
  const [own, setOwn] = useState("");
  const [restored, setRestored] = useState<Restored>();
  const form = useForm("passphrase", "confirm");
  const submit = (event: Event): void => {
    event.preventDefault();
    if (file) void form.send(async () => setRestored(await restore(file, { passphrase, ...confirmation(own) })));
  };
  return (
    <section class="card stack" aria-labelledby="restore">
      <h2 id="restore">{said.restore}</h2>
      <p>{said.restoreText}</p>
      <form class="stack narrow" onSubmit={submit}>
        <FileField label={said.file} accept=".hobbackup" required onFile={setFile} />
        <TextField label={said.passphrase} hint={said.restorePassphraseHint} error={form.wrong("passphrase")} type="password" autocomplete="off" value={passphrase} onValue={setPassphrase} />
        <OwnPassword form={form} value={own} onValue={setOwn} />
        <FormError of={form} />
        <div>
          <Button type="submit" icon="upload" busy={form.busy} disabled={!file}>
            {said.restoreAct}
          </Button>
        </div>
      </form>
      {restored && <Found restored={restored} drain={drain} onClose={() => setRestored(undefined)} />}
    </section>
  );
}

function Found({ restored, drain, onClose }: { restored: Restored; drain: string; onClose: () => void }) {
  const said = words.settings;
  const { box, made, version } = restored;
  const lacking = restored.models.filter((model) => model.lacks.length > 0);
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
              <li key={what}>{what}</li>
            ))}
          </ul>
        </>
      )}
      <div class="ends">
        <Button onClick={onClose}>{said.later}</Button>
        <RestartButton main drain={drain} onBegun={onClose} />
      </div>
    </Dialog>
  );
}
