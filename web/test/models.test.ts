import { describe, expect, it } from "vitest";
import { timeLeft, type Pull } from "../src/api/pulls";
import { WrongLine, parseParameters } from "../src/pages/models/parameters";
import { contexts } from "../src/pages/models/room";
import { SUGGESTIONS, advised } from "../src/pages/models/suggestions";

describe("parameters", () => {
  it("are read a line each, as numbers, words and texts", () => {
    expect(
      parseParameters('temperature 0.7\n\n# a note\nPARAMETER num_ctx 8192\nuse_mmap true\nstop "User:"\nstop "\\n"'),
    ).toEqual({
      temperature: 0.7,
      num_ctx: 8192,
      use_mmap: true,
      stop: ["User:", "\n"],
    });
  });

  it("that are none are named by their line", () => {
    for (const [text, line] of [
      ["temperature", 1],
      ['top_p 0.9\nstop "open', 2],
      ["num_ctx 1\n\n- 3", 3],
    ] as const) {
      const read = (): unknown => parseParameters(text);
      expect(read).toThrow(WrongLine);
      expect(read).toThrow(`line ${line}`);
    }
  });
});

describe("a model for a beginning", () => {
  it("leaves half of what models may take, if any does", () => {
    for (const locale of ["en-GB", "zh-Hans-CN"]) {
      for (const limit of [1.5e9, 4e9, 8e9, 64e9]) {
        const found = SUGGESTIONS.find(({ name }) => name === advised(limit, locale))!;
        expect(found.needs).toBeLessThanOrEqual(limit / 2);
      }
      expect(advised(1e9, locale)).toBe("smollm2:135m");
    }
  });

  it("speaks the reader's language", () => {
    expect(advised(undefined, "en")).toBe("llama3.2:1b");
    expect(advised(undefined, "zh-Hans-CN")).toBe("qwen3:1.7b");
  });
});

it("contexts go up to what the model was made for", () => {
  expect(contexts(8192)).toEqual([2048, 4096, 8192]);
  expect(contexts(5000)).toEqual([2048, 4096, 5000]);
  expect(contexts(256)).toEqual([256]);
});

describe("the time that a pull takes yet", () => {
  const pull: Pull = {
    id: "1",
    model: "m",
    state: "running",
    status: "",
    total: 100,
    completed: 40,
    rate: 20,
    started: "",
  };

  it("is what is missing at the rate of now", () => expect(timeLeft(pull)).toBe(3));

  it("is not told where it is not known", () => {
    for (const other of [
      { rate: 0 },
      { total: 0, completed: 0 },
      { state: "paused" },
      { completed: 100 },
    ] as Partial<Pull>[])
      expect(timeLeft({ ...pull, ...other })).toBeUndefined();
  });
});
