// A key's text, which is told by the answer that made it and nowhere else.
import { useEffect, useRef, useState } from "preact/hooks";
import type { NewKey } from "../../api/keys";
import { Button } from "../../parts/button";
import { Copyable } from "../../parts/copy";
import { Dialog } from "../../parts/dialog";
import { Notice } from "../../parts/notice";
import { words } from "../../words";

export function ShownOnce({ made, onClose }: { made: NewKey; onClose: () => void }) {
  const said = words.keys;
  const [copied, setCopied] = useState(false);
  const [left, setLeft] = useState(false);
  const key = useRef<HTMLDivElement>(null);
  // It is what there is to do here, and Enter does it.
  useEffect(() => key.current?.querySelector("button")?.focus(), []);
  const leave = (): void => (copied ? onClose() : setLeft(true));
  return (
    <Dialog title={said.madeTitle} onClose={leave}>
      <p>{said.theKey(made.name)}</p>
      <div ref={key}>
        <Copyable text={made.key} label={said.copyKey} onCopied={() => setCopied(true)} />
      </div>
      <Notice kind="warning">{said.madeText}</Notice>
      {left && !copied && <Notice kind="bad">{said.notCopiedYet}</Notice>}
      <div class="ends">
        <Button kind="main" onClick={onClose}>
          {said.kept}
        </Button>
      </div>
    </Dialog>
  );
}
