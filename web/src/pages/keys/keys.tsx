// The keys there are: what each may, and making, renewing and revoking them.
import { useState } from "preact/hooks";
import { KEYS, revokeKey, rotateKey, type Key, type NewKey } from "../../api/keys";
import { ago, date, moment } from "../../format";
import { useAsked } from "../../parts/asked";
import { Button } from "../../parts/button";
import { confirm } from "../../parts/confirm";
import { say } from "../../parts/notice";
import { Loaded } from "../../parts/page";
import { Table, type Column } from "../../parts/table";
import { words } from "../../words";
import { MakeKey } from "./make";
import { allowed, limitsOf } from "./presets";
import { ShownOnce } from "./shown-once";

export function Keys() {
  const said = words.keys;
  const asked = useAsked<{ keys: Key[] }>(KEYS);
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<NewKey>();
  const told = (key: NewKey): void => {
    setMaking(false);
    setMade(key);
    asked.again();
  };
  return (
    <section class="stack" aria-label={said.tabs.keys}>
      <div>
        <Button kind="main" icon="plus" onClick={() => setMaking(true)}>
          {said.make}
        </Button>
      </div>
      <Loaded of={asked}>
        {({ keys }) => (
          <Table
            caption={said.caption}
            columns={columns(asked.again, told)}
            rows={keys}
            rowKey={(key) => key.id}
            empty={said.none}
          />
        )}
      </Loaded>
      {making && <MakeKey onClose={() => setMaking(false)} onMade={told} />}
      {made && <ShownOnce made={made} onClose={() => setMade(undefined)} />}
    </section>
  );
}

function columns(again: () => void, told: (key: NewKey) => void): Column<Key>[] {
  const said = words.keys;
  return [
    {
      title: said.name,
      heading: true,
      cell: (key) => (
        <span class="named">
          <strong>{key.name}</strong>
          <span class="mono quiet small">{key.shown}</span>
        </span>
      ),
    },
    { title: said.may, cell: (key) => allowed(key.scopes) },
    { title: said.limits, cell: (key) => <Limits of={key} /> },
    {
      title: said.lastUsed,
      cell: (key) => (key.last_used === null ? <span class="quiet">{said.never}</span> : <Time at={key.last_used} />),
    },
    { title: said.expires, cell: (key) => <Expiry at={key.expires} /> },
    { title: said.actions, unseen: true, cell: (key) => <Actions of={key} again={again} told={told} /> },
  ];
}

/** How long ago, and to whom waits over it, when. */
export function Time({ at }: { at: string }) {
  return (
    <time dateTime={at} title={moment(at)}>
      {ago(at)}
    </time>
  );
}

function Limits({ of }: { of: Key }) {
  const limits = limitsOf(of);
  if (limits.length === 0) return <span class="quiet">{words.keys.noLimits}</span>;
  return <span class="small">{limits.join(" · ")}</span>;
}

function Expiry({ at }: { at: string | null }) {
  if (at === null) return <span class="quiet">{words.keys.forever}</span>;
  if (Date.parse(at) <= Date.now()) return <span class="wrong">{words.keys.expired(ago(at))}</span>;
  return (
    <time dateTime={at} title={moment(at)}>
      {date(at)}
    </time>
  );
}

function Actions({ of: key, again, told }: { of: Key; again: () => void; told: (key: NewKey) => void }) {
  const said = words.keys;
  const rotate = (): void =>
    confirm({
      title: said.rotateTitle(key.name),
      text: said.rotateText,
      act: said.rotate,
      password: true,
      does: async (confirm) => told(await rotateKey(key.id, confirm)),
    });
  const revoke = (): void =>
    confirm({
      title: said.revokeTitle(key.name),
      text: said.revokeText,
      act: said.revoke,
      danger: true,
      does: async () => {
        await revokeKey(key.id);
        say(said.revoked(key.name));
        again();
      },
    });
  return (
    <span class="ends">
      <Button kind="bare" onClick={rotate}>
        {said.rotate}
      </Button>
      <Button kind="bare" onClick={revoke}>
        {said.revoke}
      </Button>
    </span>
  );
}
