import { beforeAll, describe, expect, it, vi } from "vitest";
import { ago, bytes, percent, span } from "../src/format";
import { speak } from "../src/words";

beforeAll(async () => {
  vi.stubGlobal("navigator", { languages: ["en-GB"] });
  vi.stubGlobal("document", { documentElement: {} });
  await speak("en");
});

describe("sizes", () => {
  it("have three digits at most, and count by thousands", () => {
    expect([0, 999, 1000, 98_566_000, 4_370_000_000, 640_000_000_000].map(bytes)).toEqual([
      "0 B",
      "999 B",
      "1 kB",
      "98.6 MB",
      "4.4 GB",
      "640 GB",
    ]);
  });
});

describe("times", () => {
  it("that were are said by the largest unit that fits", () => {
    const now = Date.parse("2026-11-26T12:00:00Z");
    expect(ago("2026-11-26T11:59:30Z", now)).toBe("30 seconds ago");
    expect(ago("2026-11-26T09:00:00Z", now)).toBe("3 hours ago");
    expect(ago("2026-11-28T12:00:00Z", now)).toBe("in 2 days");
  });

  it("that something takes are short", () => {
    expect([0.42, 125, 3725].map(span)).toEqual(["0.4s", "2:05", "1:02:05"]);
  });
});

it("shares are percent", () => expect(percent(0.354)).toBe("35%"));
