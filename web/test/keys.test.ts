import { beforeAll, describe, expect, it, vi } from "vitest";
import type { Key } from "../src/api/keys";
import { browserOf } from "../src/pages/keys/agent";
import { PRESETS, allowed, limitsOf, listed, presetOf } from "../src/pages/keys/presets";
import { byDay, bySomebody, daysBack, sum } from "../src/pages/keys/sums";
import { speak } from "../src/words";

beforeAll(async () => {
  vi.stubGlobal("navigator", { languages: ["en-GB"] });
  vi.stubGlobal("document", { documentElement: {} });
  await speak("en");
});

const KEY: Key = {
  id: "k1",
  name: "lamp",
  shown: "hob_abc…xyz",
  scopes: ["infer"],
  models: ["registry.ollama.ai/library/smollm2:latest", "hf.co/u/m:q4"],
  requests_per_minute: 60,
  concurrent: null,
  tokens_per_day: 100_000,
  tokens_per_month: null,
  max_context: null,
  max_output: null,
  priority: "low",
  networks: [],
  created: "2026-11-01T00:00:00Z",
  expires: null,
  last_used: null,
};

describe("what a key may", () => {
  it("is a preset in whatever order", () => {
    expect(presetOf(["models.read", "embed", "infer"])).toBe("program");
    expect(presetOf(["infer"])).toBeUndefined();
  });

  it("never is to lend by the way", () => {
    for (const scopes of Object.values(PRESETS)) expect(scopes).not.toContain("split");
  });

  it("is said in short", () => {
    expect(allowed(["models.read", "infer"])).toBe("ask models, see models");
    expect(allowed(PRESETS.everything)).toBe("everything");
  });

  it("is limited in words, and models are called as people call them", () => {
    expect(limitsOf(KEY)).toEqual([
      "only smollm2, hf.co/u/m:q4",
      "60 requests a minute",
      "100,000 tokens a day",
      "waits for others",
    ]);
  });
});

it("lists are written with commas, also Chinese ones", () => {
  expect(listed(" smollm2, gemma3*，a b,, ")).toEqual(["smollm2", "gemma3*", "a", "b"]);
});

describe("use", () => {
  const used = (day: string, who: string, tokens: number) => ({
    day,
    who,
    requests: 1,
    prompt_tokens: tokens,
    completion_tokens: 10,
  });
  const usage = {
    from: "2026-11-24",
    to: "2026-11-26",
    usage: [used("2026-11-24", "anna", 5), used("2026-11-26", "anna", 5), used("2026-11-26", "local", 90)],
  };

  it("has each day, also those on which nothing was asked", () => {
    expect(byDay(usage).map(({ day, requests }) => [day, requests])).toEqual([
      ["2026-11-24", 1],
      ["2026-11-25", 0],
      ["2026-11-26", 2],
    ]);
  });

  it("can be of one alone", () => {
    expect(sum(byDay(usage, "anna"))).toEqual({ requests: 2, prompt_tokens: 10, completion_tokens: 20 });
  });

  it("is of whoever used the most first", () => {
    expect(bySomebody(usage).map(({ who }) => who)).toEqual(["local", "anna"]);
  });

  it("of a week is of seven days", () => {
    expect(daysBack(7, Date.parse("2026-11-26T12:00:00Z"))).toBe("2026-11-20");
  });
});

it("browsers are told from what they say they are", () => {
  const windows =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36";
  expect(browserOf(windows)).toEqual({ browser: "Chrome", system: "Windows" });
  expect(browserOf(`${windows} Edg/130.0`)).toEqual({ browser: "Edge", system: "Windows" });
  expect(
    browserOf(
      "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
    ),
  ).toEqual({ browser: "Safari", system: "iPhone" });
  expect(browserOf("Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0")).toEqual({
    browser: "Firefox",
    system: "Linux",
  });
  expect(browserOf("something else")).toEqual({ browser: undefined, system: undefined });
});
