import { describe, expect, it, vi } from "vitest";
import { asking, type Entry, type Line } from "../src/api/records";
import { gathering, withLater, withNewer } from "../src/pages/records/joined";

const entry = (seq: number): Entry => ({
  seq,
  time: "2026-11-26T12:00:00Z",
  who: "hob",
  action: "start",
  target: "",
  outcome: "done",
});
const line = (n: number, second = n): Line => ({
  n,
  at: `2026-11-26T12:00:${`${second}`.padStart(2, "0")}Z`,
  level: "info",
  target: "hob",
  message: `${n}`,
});

it("entries that come are put before those that are there, each once", () => {
  expect(withNewer([entry(3), entry(2)], [entry(3), entry(4), entry(5)]).map(({ seq }) => seq)).toEqual([5, 4, 3, 2]);
});

describe("lines", () => {
  it("are put behind those that are there, each once, and so many at most", () => {
    expect(withLater([line(1), line(2)], [line(2), line(3), line(4)], 3).map(({ n }) => n)).toEqual([2, 3, 4]);
  });

  it("of a daemon that began anew go on behind those of the one before", () => {
    expect(withLater([line(40)], [line(1, 50), line(2, 51)], 10).map(({ n }) => n)).toEqual([40, 1, 2]);
  });
});

it("what comes one by one is handed on now and then", () => {
  vi.useFakeTimers();
  const hand = vi.fn();
  const { hear, end } = gathering<number>(hand);
  [1, 2, 3].forEach(hear);
  expect(hand).not.toHaveBeenCalled();
  vi.runAllTimers();
  expect(hand).toHaveBeenCalledExactlyOnceWith([1, 2, 3]);
  hear(4);
  end();
  vi.runAllTimers();
  expect(hand).toHaveBeenCalledTimes(1);
  vi.useRealTimers();
});

it("what is not asked for is not in the path", () => {
  expect(asking("/a", { text: "a b&c", who: "", last: 5, before: undefined })).toBe("/a?text=a+b%26c&last=5");
});
