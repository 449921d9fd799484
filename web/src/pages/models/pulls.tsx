// Models on their way: how far each is, and pausing, going on, and stopping.
import { useState } from "preact/hooks";
import { dropPull, pausePull, resumePull, timeLeft, type Pull } from "../../api/pulls";
import { bytes, span } from "../../format";
import { Button, IconButton } from "../../parts/button";
import { confirm } from "../../parts/confirm";
import { Progress } from "../../parts/meter";
import { Marked } from "../../parts/marked";
import { Notice, trying } from "../../parts/notice";
import { Link } from "../../place";
import { words } from "../../words";
import { pathOf } from "./paths";

/** What the box says where the other does not speak TLS, or is not known. */
const NO_TLS = /not trusted with plain HTTP|invalid peer certificate|InvalidContentType|scheme is not allowed/i;
/** And where nobody answers; if a paired box has it, that is worth more than our words. */
const OUT_OF_REACH = /^(?!.*--from .* takes it).*(registry cannot be reached|dns error|connection refused)/is;

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
      {pull.state === "failed" && <Failed error={pull.error ?? ""} />}
      {pull.state !== "done" && (pull.state !== "failed" || pull.total > 0) && <HowFar pull={pull} />}
    </article>
  );
}

/** Why it failed: what happens most in the page's own words, with the box's beneath. */
function Failed({ error }: { error: string }) {
  const said = words.models;
  const own = NO_TLS.test(error) ? said.pullNoTls : OUT_OF_REACH.test(error) ? said.pullOutOfReach : undefined;
  if (!own) return <Notice kind="bad">{error}</Notice>;
  return (
    <Notice kind="bad">
      {own}
      <details class="small">
        <summary>{said.pullWhy}</summary>
        <Marked text={error} />
      </details>
    </Notice>
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
  return (
    <Progress
      label={said.pullProgress(pull.model)}
      value={pull.completed}
      max={pull.state === "running" ? pull.total : pull.total || 1}
      text={parts.filter(Boolean).join(" · ")}
    />
  );
}

/** Ends it for good. What is to go on later is paused. */
function stop({ id, model, state, completed }: Pull): void {
  const said = words.models;
  const drop = (): Promise<void> => dropPull(id, "discard");
  if (state === "failed" && completed === 0) return void trying(drop);
  confirm({
    title: said.stopTitle(model),
    text: completed > 0 ? said.stopText(bytes(completed)) : said.stopNothing,
    act: said.stopAct,
    cancel: said.stopNot,
    danger: true,
    does: drop,
  });
}

function Acts({ pull }: { pull: Pull }) {
  const said = words.models;
  const [busy, setBusy] = useState(false);
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
          {said.details}
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
        <Button
          icon={pull.state === "failed" ? "again" : "play"}
          busy={busy}
          onClick={() => void act(() => resumePull(pull.id))}
        >
          {pull.state === "failed" ? said.retry : said.resume}
        </Button>
      )}
      <Button kind="bare" onClick={() => stop(pull)}>
        {pull.state === "failed" && pull.completed === 0 ? said.dismiss : said.stop}
      </Button>
    </div>
  );
}
