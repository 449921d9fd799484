// The boxes beside this one: paired ones, those that are seen, and how they come to be paired.
import { useEffect, useState } from "preact/hooks";
import { PEERS, type Neighbourhood } from "../../api/network";
import type { Setting } from "../../api/settings";
import { useAsked } from "../../parts/asked";
import { Button } from "../../parts/button";
import { say } from "../../parts/notice";
import { Loaded } from "../../parts/page";
import { Link } from "../../place";
import { words } from "../../words";
import { InvitationCard, Invite, invitation } from "./invite";
import { Pair } from "./pair";
import { Neighbours, Peers } from "./lists";

/** How soon to look again who is there, and while somebody is waited for. */
const LOOK_MS = 30_000;
const LOOK_SOON_MS = 4000;

export function Others({ valueOf }: { valueOf: (name: string) => Setting | undefined }) {
  const said = words.network;
  const asked = useAsked<Neighbourhood>(PEERS);
  const [pairing, setPairing] = useState<string>();
  const [inviting, setInviting] = useState(false);
  const waiting = invitation.value !== undefined;
  const lends = valueOf("lan.split")?.value === "experimental";
  useEffect(() => {
    const again = setInterval(asked.again, waiting ? LOOK_SOON_MS : LOOK_MS);
    return () => clearInterval(again);
  }, [waiting]);
  useEffect(() => {
    if (asked.value) welcome(asked.value);
  }, [asked.value]);
  return (
    <section class="stack" aria-labelledby="others">
      <div class="row apart">
        <h2 id="others">{said.others}</h2>
        <div class="row">
          <Button onClick={() => setPairing("")}>{said.pair}</Button>
          <Button onClick={() => setInviting(true)}>{said.invite}</Button>
        </div>
      </div>
      <InvitationCard />
      <Loaded of={asked}>
        {({ peers, neighbours }) => (
          <>
            <h3>{said.peers}</h3>
            <Peers peers={peers} again={asked.again} />
            <h3>{said.neighbours}</h3>
            <Neighbours neighbours={neighbours} pair={setPairing} />
          </>
        )}
      </Loaded>
      <Together valueOf={valueOf} />
      {pairing !== undefined && (
        <Pair address={pairing} lends={lends} onClose={() => setPairing(undefined)} onPaired={asked.again} />
      )}
      {inviting && <Invite lends={lends} onClose={() => setInviting(false)} />}
    </section>
  );
}

let known: Set<string> | undefined;

/** Says who has come by the invitation. */
function welcome({ peers }: Neighbourhood): void {
  const newcomer = known && peers.find((peer) => !known!.has(peer.id));
  known = new Set(peers.map((peer) => peer.id));
  if (!newcomer || invitation.peek() === undefined) return;
  invitation.value = undefined;
  say(words.network.came(newcomer.name));
}

const TOGETHER = [
  ["share", "lan.share", "true"],
  ["route", "lan.route", "neighbours"],
  ["split", "lan.split", "experimental"],
] as const;

/** What paired boxes do for each other, as it is set. */
function Together({ valueOf }: { valueOf: (name: string) => Setting | undefined }) {
  const said = words.network;
  const set = TOGETHER.flatMap(([name, setting, on]) => {
    const value = valueOf(setting)?.value;
    return value === undefined ? [] : [{ name, text: said[name][value === on ? "on" : "off"] }];
  });
  if (set.length === 0) return null;
  return (
    <div class="card stack">
      <h3>{said.does}</h3>
      <ul>
        {set.map(({ name, text }) => (
          <li key={name}>{text}</li>
        ))}
      </ul>
      <p>
        <Link to="/settings?find=lan.">{said.change}</Link>
      </p>
    </div>
  );
}
