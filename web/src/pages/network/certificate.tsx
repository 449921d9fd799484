// The certificate that the box shows: whose it is, for which names, until when; and bringing one of one's own.
import { useState } from "preact/hooks";
import { bringCertificate, forgetCertificate, type Certificate } from "../../api/network";
import type { Setting } from "../../api/settings";
import { ago, date } from "../../format";
import { Button } from "../../parts/button";
import { confirm } from "../../parts/confirm";
import { Dialog } from "../../parts/dialog";
import { LongTextField } from "../../parts/field";
import { FileField } from "../../parts/file";
import { FormError, OwnPassword, confirmation, useForm } from "../../parts/form";
import { Notice, say } from "../../parts/notice";
import { words } from "../../words";

interface CardProps {
  of: Certificate;
  /** The setting that names a file, where one does. */
  files: Setting | undefined;
  again: () => void;
}

export function CertificateCard({ of: certificate, files, again }: CardProps) {
  const said = words.network;
  const [bringing, setBringing] = useState(false);
  const over = Date.parse(certificate.expires) <= Date.now();
  const byFiles = files !== undefined && files.value !== null;
  const used = (): void => {
    setBringing(false);
    say(said.used);
    again();
  };
  return (
    <section class="card stack" aria-labelledby="certificate">
      <h2 id="certificate">{said.certificate}</h2>
      <p>{said.source[certificate.source]}</p>
      {over ? (
        <Notice kind="bad">{said.over(date(certificate.expires))}</Notice>
      ) : (
        <p>{said.expires(date(certificate.expires), ago(certificate.expires))}</p>
      )}
      {certificate.warnings.map((warning) => (
        <Notice key={warning} kind="warning">
          {warning}
        </Notice>
      ))}
      <details class="fold">
        <summary>
          {said.names} <span class="quiet">({certificate.names.length})</span>
        </summary>
        <ul class="names mono">
          {certificate.names.map((name) => (
            <li key={name}>{name}</li>
          ))}
        </ul>
      </details>
      {byFiles ? (
        <p class="small quiet">{said.byFiles(files.origin.where ?? files.name)}</p>
      ) : (
        <div class="row">
          <Button onClick={() => setBringing(true)}>{said.bring}</Button>
          {certificate.source === "own" && <Button onClick={() => askBack(again)}>{said.back}</Button>}
        </div>
      )}
      {bringing && <Bring onClose={() => setBringing(false)} onDone={used} />}
    </section>
  );
}

function askBack(again: () => void): void {
  const said = words.network;
  confirm({
    title: said.backTitle,
    text: said.backText,
    act: said.back,
    danger: true,
    password: true,
    does: async (password) => {
      await forgetCertificate(password);
      say(said.backDone);
      again();
    },
  });
}

function Bring({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const said = words.network;
  const [certificate, setCertificate] = useState("");
  const [key, setKey] = useState("");
  const [own, setOwn] = useState("");
  const form = useForm("certificate", "key", "confirm");
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (await form.send(() => bringCertificate({ certificate, key, ...confirmation(own) }))) onDone();
  };
  return (
    <Dialog title={said.bringTitle} wide onClose={onClose}>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        <p>{said.bringText}</p>
        <Pem
          label={said.chain}
          error={form.wrong("certificate")}
          accept=".pem,.crt,.cer"
          value={certificate}
          onValue={setCertificate}
        />
        <Pem label={said.key} error={form.wrong("key")} accept=".pem,.key" value={key} onValue={setKey} />
        <OwnPassword form={form} value={own} onValue={setOwn} />
        <FormError of={form} />
        <div class="ends">
          <Button onClick={onClose}>{words.shell.cancel}</Button>
          <Button type="submit" kind="main" busy={form.busy}>
            {said.use}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

interface PemProps {
  label: string;
  error: string | undefined;
  accept: string;
  value: string;
  onValue: (value: string) => void;
}

/** Text, which can come from a file. */
function Pem({ label, error, accept, value, onValue }: PemProps) {
  const read = (file: File | undefined): void => void file?.text().then(onValue);
  return (
    <div class="pem">
      <LongTextField
        label={label}
        error={error}
        mono
        required
        rows={4}
        spellcheck={false}
        placeholder="-----BEGIN …"
        value={value}
        onValue={onValue}
      />
      <FileField label={words.network.orFile} accept={accept} onFile={read} />
    </div>
  );
}
