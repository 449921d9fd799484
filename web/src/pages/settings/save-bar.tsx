// How much is changed, at the foot of the page, with what keeps it and what lets it go.
import type { Changes, Setting } from "../../api/settings";
import { Button } from "../../parts/button";
import { words } from "../../words";

interface SaveBarProps {
  settings: Setting[];
  draft: Changes;
  busy: boolean;
  error: string | undefined;
  onSave: () => void;
  onDiscard: () => void;
}

export function SaveBar({ settings, draft, busy, error, onSave, onDiscard }: SaveBarProps) {
  const said = words.settings;
  const count = Object.keys(draft).length;
  const restarts = settings.filter((setting) => setting.restart && setting.name in draft).length;
  return (
    <section class="save-bar" aria-label={said.changes(count)}>
      <p role="status">
        <strong>{said.changes(count)}</strong>
        {restarts > 0 && <span class="quiet"> · {said.needRestart(restarts)}</span>}
      </p>
      {error && (
        <p class="wrong" role="alert">
          {error}
        </p>
      )}
      <div class="row">
        <Button onClick={onDiscard}>{said.discard}</Button>
        <Button kind="main" busy={busy} onClick={onSave}>
          {words.shell.save}
        </Button>
      </div>
    </section>
  );
}
