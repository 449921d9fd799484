import { describe, expect, it } from "vitest";
import type { Memory, Now } from "../src/api/now";
import { divide } from "../src/pages/now/budget";
import { kept } from "../src/pages/now/live";

const model = {
  name: "m",
  weights: 100,
  cache: 50,
  compute: 20,
  prefixes: 10,
  rest: 20,
  by: "measured",
  state: "loaded",
} as const;
const memory: Memory = { machine: 1000, available: 500, limit: 600, used: 200, leaving: 0, models: [model] };

const sum = ({ whole: _, ...parts }: ReturnType<typeof divide>): number =>
  Object.values(parts).reduce((all, part) => all + part, 0);

describe("the picture of the memory", () => {
  it("is the machine's, all of it", () => {
    expect(divide(memory)).toMatchObject({ weights: 100, cache: 50, others: 300, free: 500, whole: 1000 });
    expect(sum(divide(memory))).toBe(1000);
  });

  it("has nothing less than nothing, though mapped weights count as free", () => {
    const mapped = divide({ ...memory, available: 950 });
    expect(mapped).toMatchObject({ others: 0, free: 800 });
    expect(sum(mapped)).toBe(1000);
  });

  it("counts what is lent and what is given back", () => {
    const lent = divide({ ...memory, used: 300, leaving: 40, lent: { to: "kitchen", size: 60 } });
    expect(lent).toMatchObject({ leaving: 40, lent: 60, others: 200 });
    expect(sum(lent)).toBe(1000);
  });

  it("is what models may take, if the machine does not tell what it has", () => {
    const { machine: _, available: __, ...unknown } = memory;
    expect(divide(unknown)).toMatchObject({ whole: 600, others: 0, free: 400 });
  });
});

it("of what is told many times a second, one a second is kept", () => {
  const at = (at: string): Now => ({
    at,
    memory,
    models: [],
    requests: [],
    rate: { prompt: 0, answer: 1 },
    sensors: {},
    disk: {},
  });
  const times = ["2026-11-26T12:00:00.000Z", "2026-11-26T12:00:00.250Z", "2026-11-26T12:00:01.000Z"];
  expect(
    times
      .map(at)
      .reduce(kept, [])
      .map((row) => row.at),
  ).toEqual([times[0], times[2]]);
});
