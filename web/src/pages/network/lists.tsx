// Paired boxes, and those that are seen.
import { forgetPeer, type Neighbour, type Peer } from "../../api/network";
import { Button } from "../../parts/button";
import { confirm } from "../../parts/confirm";
import { say } from "../../parts/notice";
import { Table, type Column } from "../../parts/table";
import { words } from "../../words";
import { named } from "./scopes";

export function Peers({ peers, again }: { peers: Peer[]; again: () => void }) {
  const said = words.network;
  const columns: Column<Peer>[] = [
    { title: said.name, heading: true, cell: (peer) => <Named name={peer.name} id={peer.short} /> },
    { title: said.state, cell: (peer) => <State of={peer} /> },
    { title: said.address, cell: (peer) => <span class="mono">{peer.address}</span> },
    {
      title: said.may,
      cell: (peer) => (peer.scopes?.length ? named(peer.scopes) : <span class="quiet">{said.nothing}</span>),
    },
    { title: said.version, cell: (peer) => peer.version },
    {
      title: said.actions,
      unseen: true,
      cell: (peer) => (
        <Button kind="bare" onClick={() => forget(peer, again)}>
          {said.forget}
        </Button>
      ),
    },
  ];
  return <Table caption={said.peers} columns={columns} rows={peers} rowKey={(peer) => peer.id} empty={said.noPeers} />;
}

export function Neighbours({ neighbours, pair }: { neighbours: Neighbour[]; pair: (address: string) => void }) {
  const said = words.network;
  const columns: Column<Neighbour>[] = [
    { title: said.name, heading: true, cell: (neighbour) => <Named name={neighbour.label} id={neighbour.id} /> },
    {
      title: said.state,
      cell: (neighbour) => (neighbour.paired === null ? said.states[neighbour.state] : said.isPaired(neighbour.paired)),
    },
    { title: said.address, cell: (neighbour) => <span class="mono">{neighbour.url}</span> },
    { title: said.version, cell: (neighbour) => neighbour.version },
    {
      title: said.actions,
      unseen: true,
      cell: (neighbour) => neighbour.paired === null && <Begin with={neighbour} pair={pair} />,
    },
  ];
  return (
    <Table
      caption={said.neighbours}
      columns={columns}
      rows={neighbours}
      rowKey={(neighbour) => neighbour.label}
      empty={said.noNeighbours}
    />
  );
}

/** What can be done with a box that is not paired: one that nobody owns is claimed first, at its own page. */
function Begin({ with: { state, url }, pair }: { with: Neighbour; pair: (address: string) => void }) {
  const said = words.network;
  if (state === "ready") return <Button onClick={() => pair(url)}>{said.pairWith}</Button>;
  return url.startsWith("https://") ? (
    <a href={url} rel="noopener noreferrer" target="_blank">
      {said.claim}
    </a>
  ) : null;
}

function Named({ name, id }: { name: string; id: string }) {
  return (
    <span class="named">
      <strong>{name}</strong>
      <span class="mono quiet small">{id}</span>
    </span>
  );
}

function State({ of: peer }: { of: Peer }) {
  const said = words.network;
  if (peer.refused) return <span class="wrong">{said.refused}</span>;
  return peer.online ? <>{said.online}</> : <span class="quiet">{said.offline}</span>;
}

function forget({ name }: Peer, again: () => void): void {
  const said = words.network;
  confirm({
    title: said.forgetTitle(name),
    text: said.forgetText,
    act: said.forget,
    danger: true,
    does: async () => {
      await forgetPeer(name);
      say(said.forgotten(name));
      again();
    },
  });
}
