import { beforeAll, describe, expect, it, vi } from "vitest";
import type { Conversation, Message } from "../src/api/conversations";
import { asMarkdown, fileName } from "../src/pages/chat/export";
import { period } from "../src/pages/chat/listing";
import { draftOf, merged, settingsOf } from "../src/pages/chat/parameters";
import { within } from "../src/pages/chat/pictures";
import { chatRequest, figures, titleOf } from "../src/pages/chat/request";
import { Sentences } from "../src/pages/chat/sentences";
import { children, chosenOf, end, newest, pairOf, path, versions } from "../src/pages/chat/tree";
import { speak } from "../src/words";

beforeAll(async () => {
  vi.stubGlobal("navigator", { languages: ["en-GB"] });
  vi.stubGlobal("document", { documentElement: {} });
  await speak("en");
});

function message(id: string, parent: string | null, more: Partial<Message> = {}): Message {
  return {
    id,
    parent,
    role: id.startsWith("u") ? "user" : "assistant",
    content: id,
    created: "2026-11-26T12:00:00Z",
    ...more,
  };
}

function tree(...messages: Message[]): Map<string, Message> {
  return new Map(messages.map((each) => [each.id, each]));
}

describe("messages", () => {
  // u1 was answered twice, the first answer was gone on from, and u2 was edited into u3.
  const messages = tree(
    message("u1", null),
    message("a1", "u1"),
    message("a2", "u1"),
    message("u2", "a1"),
    message("a3", "u2"),
    message("u3", "a1"),
    message("a4", "u3"),
  );
  const ids = (of: Message[]) => of.map(({ id }) => id);

  it("are shown from the first to the one that is looked at", () => {
    expect(ids(path(messages, "a3"))).toEqual(["u1", "a1", "u2", "a3"]);
    expect(path(messages, null)).toEqual([]);
    expect(ids(path(messages, "nowhere"))).toEqual([]);
  });

  it("that name each other as parents end", () => {
    expect(path(tree(message("a", "b"), message("b", "a")), "a").length).toBe(2);
    expect(["a", "b"]).toContain(newest(tree(message("a", "b"), message("b", "a")), "a"));
  });

  it("lead to the newest of what follows", () => {
    expect(newest(messages, "a1")).toBe("a4");
    expect(newest(messages, "a2")).toBe("a2");
    expect(end(messages, "a3")).toBe("a3");
    expect(end(messages, "gone")).toBe("a2");
    expect(end(tree(), null)).toBe(null);
  });

  it("have versions", () => {
    expect(versions(messages, "u3", false)).toEqual({ at: 1, ids: ["u2", "u3"] });
    expect(versions(messages, "u1", false)).toEqual({ at: 0, ids: ["u1"] });
    expect(ids(children(messages, "u1"))).toEqual(["a1", "a2"]);
  });

  it("of two models stand side by side, and are one version", () => {
    const asked = tree(
      message("u1", null),
      message("a0", "u1"),
      message("l", "u1", { side: 0 }),
      message("r", "u1", { side: 1 }),
      message("l2", "u1", { side: 0 }),
      message("r2", "u1", { side: 1 }),
    );
    expect(pairOf(asked, "r")?.map(({ id }) => id)).toEqual(["l", "r"]);
    expect(pairOf(asked, "l2")?.map(({ id }) => id)).toEqual(["l2", "r2"]);
    expect(pairOf(asked, "a0")).toBeUndefined();
    expect(versions(asked, "r2", true)).toEqual({ at: 2, ids: ["a0", "l", "l2"] });
    expect(newest(asked, "u1")).toBe("l2");
  });

  it("of two side by side, tell which was gone on with", () => {
    const asked = tree(
      message("u1", null),
      message("l", "u1", { side: 0 }),
      message("r", "u1", { side: 1 }),
      message("u2", "r"),
    );
    const pair = pairOf(asked, "l")!;
    expect(chosenOf(asked, "l", pair, true)).toBeUndefined();
    expect(chosenOf(asked, "l", pair, false)).toBe("l");
    expect(chosenOf(asked, "u2", pair, true)).toBe("r");
  });
});

describe("what a model is asked", () => {
  const said = [
    message("u1", null, { images: ["data:image/png;base64,aGk="] }),
    message("a1", "u1", { thinking: "hm" }),
    message("u2", "a1"),
    message("a2", "u2", { content: "", state: "failed" }),
    message("u3", "a2"),
  ];

  it("is what was said, without thoughts and answers that never came", () => {
    const asked = chatRequest({ model: "m", capabilities: ["completion", "vision"], settings: {}, said });
    expect(asked).toEqual({
      model: "m",
      stream: true,
      messages: [
        { role: "user", content: "u1", images: ["aGk="] },
        { role: "assistant", content: "a1" },
        { role: "user", content: "u2" },
        { role: "user", content: "u3" },
      ],
    });
  });

  it("has the settings, as far as the model knows them", () => {
    const settings = { system: "Be brief.", options: { temperature: 0 }, think: false, keep_alive: "10m" };
    const blind = chatRequest({ model: "m", capabilities: ["completion"], settings, said });
    expect(blind.messages.slice(0, 2)).toEqual([
      { role: "system", content: "Be brief." },
      { role: "user", content: "u1" },
    ]);
    expect([blind.options, blind.think, blind.keep_alive]).toEqual([{ temperature: 0 }, undefined, "10m"]);
    expect(chatRequest({ model: "m", capabilities: ["thinking"], settings, said }).think).toBe(false);
  });

  it("is measured by the box's counts and the page's clock", () => {
    const last = { eval_count: 50, eval_duration: 2e9, prompt_eval_count: 7 };
    expect(figures(last, { asked: 100, first: 350, ended: 2400 })).toEqual({
      prompt_tokens: 7,
      tokens: 50,
      tokens_per_second: 25,
      first_token_ms: 250,
      total_ms: 2300,
    });
    expect(figures({}, { asked: 0, first: undefined, ended: 10 })).toEqual({ total_ms: 10 });
  });

  it("gives the conversation its title", () => {
    expect(titleOf("  # Why is\nthe **sky** blue?  ")).toBe("Why is the sky blue?");
    expect(titleOf("word ".repeat(30))).toMatch(/^(word ?)+…$/);
    expect(titleOf("word ".repeat(30)).length).toBeLessThanOrEqual(61);
    expect(titleOf("天".repeat(50))).toBe(`${"天".repeat(30)}…`);
  });
});

describe("settings of a conversation", () => {
  const empty = draftOf({});

  it("come back as they were", () => {
    const settings = {
      system: "Be brief.",
      options: { temperature: 0.5, top_p: 1, num_predict: -1, num_ctx: 4096, seed: 7 },
      think: "low" as const,
      keep_alive: "10m",
    };
    expect(settingsOf(draftOf(settings))).toEqual({ settings });
    expect(settingsOf(empty)).toEqual({ settings: {} });
    expect(settingsOf({ ...empty, keep_alive: "-1", think: "off" })).toEqual({
      settings: { keep_alive: -1, think: false },
    });
  });

  it.each([
    ["temperature", "-1"],
    ["temperature", "hot"],
    ["top_p", "1.1"],
    ["num_ctx", "0"],
    ["num_ctx", "1.5"],
    ["num_predict", "1e30"],
    ["seed", "-3"],
    ["keep_alive", "soon"],
  ] as const)("that are wrong are told at their field: %s %s", (name, text) => {
    const read = settingsOf({ ...empty, [name]: text });
    expect("wrong" in read && read.wrong[name]).toBeTruthy();
  });
});

describe("an answer that is heard", () => {
  it("comes by sentences, each once", () => {
    const sentences = new Sentences(() => "Code.");
    expect(sentences.of("Tea is **sim")).toEqual([]);
    expect(sentences.of("Tea is **simple**. It costs 3.5")).toEqual(["Tea is simple."]);
    expect(sentences.of("Tea is **simple**. It costs 3.50 a bag.\n\n```js\nlet a;\n```\nDone")).toEqual([
      "It costs 3.50 a bag.",
      "Code.",
    ]);
    expect(sentences.of("Tea is **simple**. It costs 3.50 a bag.\n\n```js\nlet a;\n```\nDone", true)).toEqual(["Done"]);
  });

  it("comes with the numbers of its lists", () => {
    expect(new Sentences(() => "").of("So:\n\n1. Boil it.\n2. Wait\n")).toEqual(["So:", "1. Boil it.", "2. Wait"]);
  });

  it("comes by Chinese sentences too", () => {
    expect(new Sentences(() => "").of("先烧水。再放茶叶，等三分钟")).toEqual(["先烧水。"]);
  });
});

describe("settings that were changed in two windows", () => {
  it("are overwritten only where this one changed them", () => {
    const begun = draftOf({ system: "Be brief.", options: { seed: 1 } });
    const kept = draftOf({ system: "Be kind.", options: { seed: 1 } });
    expect(settingsOf(merged(kept, begun, { ...begun, seed: "" }))).toEqual({ settings: { system: "Be kind." } });
  });
});

describe("a conversation as a file", () => {
  const conversation: Conversation = {
    id: "c",
    title: "Tea / milk?",
    model: "m",
    settings: { system: "Be brief." },
    revision: 2,
    leaf: "a2",
    created: "",
    updated: "",
    messages: [
      message("u1", null),
      message("a1", "u1"),
      message("a2", "u1", {
        thinking: "hm\nhm",
        model: "m",
        tool_calls: [{ function: { name: "now", arguments: {} } }],
      }),
    ],
  };

  it("has what is shown", () => {
    expect(asMarkdown(conversation)).toBe(
      "# Tea / milk?\n\n## Instructions\n\nBe brief.\n\n## You\n\nu1\n\n## m\n\n> *Thoughts*\n>\n> hm\n> hm\n\na2\n\n*Calls now*\n\n```json\n{}\n```\n",
    );
  });

  it("has a name of letters", () => {
    expect(fileName("../Tea / milk?", "md")).toBe("Tea-milk.md");
    expect(fileName("怎么泡茶？", "json")).toBe("怎么泡茶.json");
    expect(fileName("???", "md")).toBe("conversation.md");
  });
});

it("conversations are listed by when one remembers them", () => {
  const now = new Date(2026, 10, 26, 9);
  const at = (...date: [number, number, number, number]) => period(new Date(...date).toISOString(), now);
  expect([at(2026, 10, 26, 1), at(2026, 10, 25, 23), at(2026, 10, 20, 9), at(2026, 9, 1, 9)]).toEqual([
    "today",
    "yesterday",
    "week",
    "older",
  ]);
});

it("pictures become no larger than models look at", () => {
  expect(within(4000, 1000)).toEqual({ width: 2048, height: 512 });
  expect(within(300, 200)).toEqual({ width: 300, height: 200 });
  expect(within(10_000, 1)).toEqual({ width: 2048, height: 1 });
});
