// Restarting the box: what it interrupts is said before, and the page waits until the box is back.
import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { ask, epoch, Failure } from "../../api/client";
import { AUDIT, asking, type Entries } from "../../api/records";
import { restart } from "../../api/upkeep";
import { Button } from "../../parts/button";
import { confirm } from "../../parts/confirm";
import { Dialog } from "../../parts/dialog";
import { say } from "../../parts/notice";
import { words } from "../../words";

const LOOK_MS = 500;
/** Entries that a restart is looked for in. */
const LAST = 50;
/** A box that is not back by then is told of. */
const SLOW_MS = 60_000;

export function RestartButton({ drain }: { drain: string }) {
  const said = words.settings;
  const begin = async (): Promise<void> => {
    const runs = await running();
    confirm({
      title: said.restartTitle,
      text: [runs > 0 ? said.restartRuns(runs) : "", said.restartText(drain)].join(" ").trim(),
      act: said.restartAct,
      does: async () => {
        const since = await now();
        await restart();
        awaitRestart(since);
      },
    });
  };
  return (
    <Button icon="again" onClick={() => void begin()}>
      {said.restart}
    </Button>
  );
}

export interface Since {
  /** The last entry of the audit log then. A daemon that begins says so in one that comes later. */
  before: number | undefined;
  at: number;
}

/** Where the box stands before what restarts it. */
export async function now(): Promise<Since> {
  const [last] = await entries(1).catch(() => []);
  return { before: last?.seq, at: Date.now() };
}

/** The restart that the page waits for. */
const begun = signal<Since | undefined>(undefined);

/** Waits for the box, which has begun to restart. */
export function awaitRestart(since: Since): void {
  begun.value = since;
}

/** Says that the box restarts, for as long as it does; once in the page, whichever button began it. */
export function Restarting() {
  const since = begun.value;
  return since ? <Waiting key={since.at} since={since} onBack={() => (begun.value = undefined)} /> : null;
}

/** Calls once the box is back, and has everything asked for anew. Whether that takes long. */
export function useBack(since: Since, onBack: () => void): boolean {
  const [slow, setSlow] = useState(false);
  useEffect(() => {
    let gone = false;
    let left = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async (): Promise<void> => {
      const found = await entries(LAST).catch((error: unknown) => {
        const status = error instanceof Failure ? error.status : 0;
        // A box of a backup knows nobody who signed in before.
        gone ||= status === 0 || status === 401;
        return status === 0 ? undefined : [];
      });
      if (left) return;
      setSlow(Date.now() - since.at > SLOW_MS);
      // It may be back before anybody missed it.
      if (
        found &&
        (gone ||
          found.some(({ seq, action }) => action === "start" && since.before !== undefined && seq > since.before))
      ) {
        epoch.value += 1;
        say(words.settings.restarted);
        return onBack();
      }
      timer = setTimeout(() => void look(), LOOK_MS);
    };
    timer = setTimeout(() => void look(), LOOK_MS);
    return () => {
      left = true;
      clearTimeout(timer);
    };
  }, []);
  return slow;
}

function Waiting({ since, onBack }: { since: Since; onBack: () => void }) {
  const said = words.settings;
  const slow = useBack(since, onBack);
  useEffect(() => onBack, []);
  return (
    <Dialog title={said.restarting} onClose={onBack}>
      <p role="status">{slow ? said.restartSlow : said.restartingText}</p>
      <progress aria-label={said.restarting} />
    </Dialog>
  );
}

async function entries(last: number): Promise<Entries["entries"]> {
  return (await ask<Entries>("GET", asking(`${AUDIT}/entries`, { last }))).entries;
}

/** Requests that a restart would end; none, if nobody can say. */
async function running(): Promise<number> {
  try {
    return (await ask<{ requests: unknown[] }>("GET", "/admin/api/now")).requests.length;
  } catch {
    return 0;
  }
}
