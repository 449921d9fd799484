// The disk with the models on it.
import type { Now } from "../../api/now";
import { bytes } from "../../format";
import { Parts } from "../../parts/meter";
import { words } from "../../words";

export function Disk({ disk: { free, total, models } }: { disk: Now["disk"] }) {
  const said = words.now;
  if (free === undefined || total === undefined) return null;
  const ours = models ?? 0;
  const others = Math.max(total - free - ours, 0);
  return (
    <section class="card stack">
      <h2>{said.disk}</h2>
      <p>{said.diskText(bytes(free), bytes(total))}</p>
      <Parts
        label={said.disk}
        max={total}
        parts={[
          { name: said.diskModels, value: ours, text: bytes(ours), colour: "ember" },
          { name: said.diskOthers, value: others, text: bytes(others), colour: "quiet" },
          { name: said.free, value: free, text: bytes(free), colour: "free" },
        ]}
      />
    </section>
  );
}
