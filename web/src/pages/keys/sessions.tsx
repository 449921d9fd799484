// The browsers that are signed in, and signing one out.
import { SESSIONS, endSession, type Session } from "../../api/people";
import { meet } from "../../api/box";
import { useAsked } from "../../parts/asked";
import { Button } from "../../parts/button";
import { confirm } from "../../parts/confirm";
import { say } from "../../parts/notice";
import { Loaded } from "../../parts/page";
import { Table, type Column } from "../../parts/table";
import { words } from "../../words";
import { browserOf } from "./agent";
import { Time } from "./keys";

export function Sessions() {
  const said = words.keys;
  const asked = useAsked<{ sessions: Session[] }>(SESSIONS);
  return (
    <section class="stack">
      <h2>{said.sessions}</h2>
      <Loaded of={asked}>
        {({ sessions }) => (
          <Table
            caption={said.sessions}
            columns={columns(asked.again)}
            rows={sorted(sessions)}
            rowKey={(session) => session.id}
            empty={said.sessionsNone}
          />
        )}
      </Loaded>
    </section>
  );
}

/** This one first, then those that were here last. */
function sorted(sessions: Session[]): Session[] {
  return [...sessions].sort(
    (one, other) =>
      Number(other.current) - Number(one.current) || Date.parse(other.last_seen) - Date.parse(one.last_seen),
  );
}

function columns(again: () => void): Column<Session>[] {
  const said = words.keys;
  return [
    {
      title: said.browser,
      heading: true,
      cell: (session) => (
        <span title={session.agent}>
          <Browser agent={session.agent} /> {session.current && <span class="mark">{said.thisOne}</span>}
        </span>
      ),
    },
    { title: said.who, cell: (session) => session.person },
    { title: said.address, cell: (session) => session.address && <span class="mono">{session.address}</span> },
    { title: said.lastSeen, cell: (session) => <Time at={session.last_seen} /> },
    { title: said.since, cell: (session) => <Time at={session.created} /> },
    {
      title: said.actions,
      unseen: true,
      cell: (session) => (
        <span class="ends">
          <Button kind="bare" onClick={() => end(session, again)}>
            {said.end}
          </Button>
        </span>
      ),
    },
  ];
}

function Browser({ agent }: { agent: string }) {
  const { browser, system } = browserOf(agent);
  if (browser && system) return <>{words.keys.browserOn(browser, system)}</>;
  return <>{browser ?? system ?? words.keys.unknownBrowser}</>;
}

function end({ id, current }: Session, again: () => void): void {
  const said = words.keys;
  confirm({
    title: said.endTitle,
    text: said.endText,
    act: said.end,
    does: async () => {
      await endSession(id);
      if (current) return meet();
      say(said.ended);
      again();
    },
  });
}
