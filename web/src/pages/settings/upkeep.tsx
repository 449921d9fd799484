// Backup, restore, diagnostics and beginning anew, one beneath the other.
import { useState } from "preact/hooks";
import { diagnostics } from "../../api/upkeep";
import { Button } from "../../parts/button";
import { CopyButton } from "../../parts/copy";
import { Dialog } from "../../parts/dialog";
import { keep } from "../../parts/file";
import { trying } from "../../parts/notice";
import { words } from "../../words";
import { Backup } from "./backup";
import { Reset } from "./reset";
import { Restore } from "./restore";

export function Upkeep() {
  return (
    <>
      <Backup />
      <Restore />
      <Diagnostics />
      <Reset />
    </>
  );
}

function Diagnostics() {
  const said = words.settings;
  const [text, setText] = useState<string>();
  const [busy, setBusy] = useState(false);
  const show = async (): Promise<void> => {
    setBusy(true);
    await trying(async () => setText(JSON.stringify(await diagnostics(), undefined, 2)));
    setBusy(false);
  };
  const save = (): void => keep(said.diagnosticsName, new Blob([text ?? ""], { type: "application/json" }));
  return (
    <section class="card stack" aria-labelledby="diagnostics">
      <h2 id="diagnostics">{said.diagnostics}</h2>
      <p>{said.diagnosticsText}</p>
      <div>
        <Button busy={busy} onClick={() => void show()}>
          {said.show}
        </Button>
      </div>
      {text !== undefined && (
        <Dialog title={said.diagnostics} wide onClose={() => setText(undefined)}>
          <pre class="document" tabIndex={0}>
            {text}
          </pre>
          <div class="ends">
            <CopyButton wide text={text} label={said.copy} />
            <Button kind="main" icon="download" onClick={save}>
              {said.save}
            </Button>
          </div>
        </Dialog>
      )}
    </section>
  );
}
