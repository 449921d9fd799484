// A key's text, which is told by the answer that made it and nowhere else.
import type { NewKey } from "../../api/keys";
import { Button } from "../../parts/button";
import { Copyable } from "../../parts/copy";
import { Dialog } from "../../parts/dialog";
import { Notice } from "../../parts/notice";
import { words } from "../../words";

export function ShownOnce({ made, onClose }: { made: NewKey; onClose: () => void }) {
  const said = words.keys;
  return (
    <Dialog title={said.madeTitle} onClose={onClose}>
      <p>{said.theKey(made.name)}</p>
      <Copyable text={made.key} label={said.copyKey} />
      <Notice kind="warning">{said.madeText}</Notice>
      <div class="ends">
        <Button kind="main" onClick={onClose}>
          {said.kept}
        </Button>
      </div>
    </Dialog>
  );
}
