// Models on their way: how far each is, and pausing, going on, and stopping.
import { useState } from "preact/hooks";
import { dropPull, pausePull, resumePull, timeLeft, type Pull } from "../../api/pulls";
import { bytes, span } from "../../format";
import { Button, IconButton } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { TickField } from "../../parts/field";
import { Progress } from "../../parts/meter";
import { Notice, reason, trying } from "../../parts/notice";
import { Link } from "../../place";
import { words } from "../../words";
import { pathOf } from "./paths";

export function Pulls({ pulls }: { pulls: Pull[] }) {
  return (
    <section class="stack pulls" aria-label={words.models.pulls}>
      {pulls.map((pull) => (
        <OnItsWay key={pull.id} pull={pull} />
      ))}
    </section>
  );
}

function OnItsWay({ pull }: { pull: Pull }) {
  const said = words.models;
  return (
    <article class="card stack">
      <header class="row apart">
        <h2>
          {pull.model} {pull.state === "done" && <span class="small state loaded">{said.pullStates.done}</span>}
          {pull.from && <span class="small quiet">{said.pullFrom(pull.from)}</span>}
        </h2>
        <Acts pull={pull} />
      </header>
      {pull.state === "failed" && <Notice kind="bad">{pull.error}</Notice>}
      {pull.state !== "done" && (pull.state !== "failed" || pull.total > 0) && <HowFar pull={pull} />}
    </article>
  );
}

function HowFar({ pull }: { pull: Pull }) {
  const said = words.models;
  const left = timeLeft(pull);
  const parts = [
    pull.state === "running" ? pull.total === 0 && pull.status : said.pullStates[pull.state],
    pull.total > 0 && said.pullOf(bytes(pull.completed), bytes(pull.total)),
    pull.state === "running" && pull.rate > 0 && said.pullRate(bytes(pull.rate)),
    left !== undefined && said.pullLeft(span(Math.ceil(left))),
  ];
  return <Progress label={said.pullProgress(pull.model)} value={pull.completed} max={pull.state === "running" ? pull.total : pull.total || 1} text={parts.filter(Boolean).join(" · ")} />;
}

function Acts({ pull }: { pull: Pull }) {
  const said = words.models;
  const [busy, setBusy] = useState(false);
  const [stopping, setStopping] = useState(false);
  const act = async (work: () => Promise<unknown>): Promise<void> => {
    setBusy(true);
    await trying(work);
    setBusy(false);
  };
  if (pull.state === "done") {
    return (
      <div class="row">
        <Link class="button main" to="/">
          {said.chat}
        </Link>
        <Link class="button plain" to={pathOf(pull.model)}>
          {said.what}
        </Link>
        <IconButton icon="close" label={said.dismiss} onClick={() => void act(() => dropPull(pull.id, "keep"))} />
      </div>
    );
  }
  return (
    <div class="row">
      {pull.state === "running" ? (
        <Button icon="pause" busy={busy} onClick={() => void act(() => pausePull(pull.id))}>
          {said.pause}
        </Button>
      ) : (
        <Button icon={pull.state === "failed" ? "again" : "play"} busy={busy} onClick={() => void act(() => resumePull(pull.id))}>
          {pull.state === "failed" ? said.retry : said.resume}
        </Button>
      )}
      <Button kind="bare" onClick={() => setStopping(true)}>
        {said.stop}
      </Button>
      {stopping && <Stopping pull={pull} onClose={() => setStopping(false)} />}
    </div>
  );
}

/** Asks whether to stop, and what becomes of what has come. */
function Stopping({ pull, onClose }: { pull: Pull; onClose: () => void }) {
  const said = words.models;
  const [discard, setDiscard] = useState(true);
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<unknown>();
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    try {
      await dropPull(pull.id, discard ? "discard" : "keep");
      onClose();
    } catch (error) {
      setFailed(error);
      setBusy(false);
    }
  };
  return (
    <Dialog title={said.stopTitle(pull.model)} onClose={onClose}>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        {pull.completed > 0 && (
          <>
            <p>{said.stopText}</p>
            <TickField label={said.stopDiscard(bytes(pull.completed))} checked={discard} onChecked={setDiscard} />
          </>
        )}
        {failed !== undefined && <Notice kind="bad">{reason(failed)}</Notice>}
        <div class="ends">
          <Button onClick={onClose}>{said.stopKeep}</Button>
          <Button type="submit" kind="danger" busy={busy}>
            {said.stopAct}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
