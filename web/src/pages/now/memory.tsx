// The memory as a picture.
import type { Memory, Taken } from "../../api/now";
import { bytes } from "../../format";
import { Parts, type Part } from "../../parts/meter";
import { words } from "../../words";
import { divide } from "./budget";

export function MemoryPicture({ memory }: { memory: Memory }) {
  const said = words.now;
  const budget = divide(memory);
  const part = (name: string, value: number, colour: Part["colour"]): Part => ({
    name,
    value,
    text: bytes(value),
    colour,
  });
  const parts = [
    part(said.weights, budget.weights, "ember"),
    part(said.cache, budget.cache, "blue"),
    part(said.compute, budget.compute, "good"),
    part(said.prefixes, budget.prefixes, "warn"),
    part(said.rest, budget.rest, "ink"),
    part(said.leaving, budget.leaving, "line"),
    part(said.lent(memory.lent?.to ?? ""), budget.lent, "line"),
    part(said.others, budget.others, "quiet"),
    part(said.free, budget.free, "free"),
  ];
  return (
    <section class="card stack">
      <h2>{said.memory}</h2>
      <p>
        {memory.limit === undefined
          ? said.memoryUsed(bytes(memory.used))
          : said.memoryText(bytes(memory.used), bytes(memory.limit))}{" "}
        {memory.machine !== undefined && memory.available !== undefined && (
          <span class="quiet">{said.machine(bytes(memory.machine), bytes(memory.available))}</span>
        )}
      </p>
      <Parts label={said.memory} parts={parts} max={budget.whole} />
      {memory.models.length > 1 && (
        <details>
          <summary>{said.byModel}</summary>
          <div class="stack by-model">
            {memory.models.map((model) => (
              <OfModel key={model.name} model={model} />
            ))}
          </div>
        </details>
      )}
    </section>
  );
}

/** One model's parts. */
function OfModel({ model: { name, weights, cache, compute, prefixes, rest } }: { model: Taken }) {
  const said = words.now;
  const all = weights + cache + compute + prefixes + rest;
  const parts: [string, number, Part["colour"]][] = [
    [said.weights, weights, "ember"],
    [said.cache, cache, "blue"],
    [said.compute, compute, "good"],
    [said.prefixes, prefixes, "warn"],
    [said.rest, rest, "ink"],
  ];
  const title = said.ofModel(name, bytes(all));
  return (
    <div class="stack">
      <h3>{title}</h3>
      <Parts
        label={title}
        max={all}
        parts={parts.map(([name, value, colour]) => ({ name, value, text: bytes(value), colour }))}
      />
    </div>
  );
}
