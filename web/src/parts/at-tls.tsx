// Where the box can be looked after, for who came by a way on which nobody signs in.
import { box } from "../api/box";
import { words } from "../words";

export function AtTls() {
  const known = box.value;
  if (!known || known.way === "network") return null;
  const [address] = known.https;
  if (!address) return <p class="small">{known.claimed ? words.shell.noTls : words.shell.unclaimedHere}</p>;
  return (
    <p class="small">
      {known.claimed ? words.shell.lookAfter : words.shell.unclaimed} <a href={address}>{address}</a>
    </p>
  );
}
