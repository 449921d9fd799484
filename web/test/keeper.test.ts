import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { box } from "../src/api/box";
import { Failure } from "../src/api/client";
import { begin, change, keep, type Message } from "../src/api/conversations";
import { Keeper } from "../src/pages/chat/keeper";
import { speak } from "../src/words";

vi.mock("../src/api/conversations", () => ({ begin: vi.fn(), change: vi.fn(), keep: vi.fn() }));

beforeAll(async () => {
  vi.stubGlobal("navigator", { languages: ["en-GB"] });
  vi.stubGlobal("document", { documentElement: {} });
  await speak("en");
});

function signIn(name: string | undefined): void {
  const me = name === undefined ? null : { kind: "person" as const, name, scopes: [] };
  box.value = { name: "Hob", claimed: true, way: "network", https: [], me };
}

beforeEach(() => {
  signIn("ada");
  vi.mocked(begin).mockResolvedValue({ revision: 1 });
  vi.mocked(keep).mockResolvedValue({ revision: 2 });
  vi.mocked(change).mockResolvedValue({ revision: 3 });
});
afterEach(() => vi.resetAllMocks());

const said = (id: string): Message => ({
  id,
  parent: null,
  role: "user",
  content: id,
  created: "2026-11-26T12:00:00Z",
});

const keeper = (): Keeper =>
  new Keeper(
    () => ({ id: "c", title: "t", model: "m", settings: {} }),
    true,
    () => undefined,
  );

/** What was kept, in its order. */
const kept = (): string[] => vi.mocked(keep).mock.calls.map(([, message]) => message.id);

describe("what is written down", () => {
  it("does not go back to a branch that was left by speaking on", async () => {
    let slow!: (kept: { revision: number }) => void;
    vi.mocked(keep).mockReturnValueOnce(new Promise((resolve) => (slow = resolve)));
    const one = keeper();
    one.message(said("m1"), true);
    one.change({ leaf: "m0", title: "renamed" });
    one.message(said("m2"), true);
    slow({ revision: 2 });
    await vi.waitFor(() => expect(one.idle).toBe(true));

    expect(kept()).toEqual(["m1", "m2"]);
    expect(vi.mocked(change).mock.calls).toEqual([["c", { title: "renamed" }]]);
  });

  it("goes to a branch that was chosen after the last word", async () => {
    const one = keeper();
    one.message(said("m1"), true);
    one.change({ leaf: "m0" });
    await vi.waitFor(() => expect(one.idle).toBe(true));

    expect(vi.mocked(change).mock.calls).toEqual([["c", { leaf: "m0" }]]);
  });

  it("waits for whoever said it to sign in again", async () => {
    vi.mocked(keep).mockImplementationOnce(() => {
      signIn(undefined);
      return Promise.reject(new Failure(401, "Sign in"));
    });
    const one = keeper();
    one.message(said("m1"));
    await vi.waitFor(() => expect(one.trouble.value).toBe("Sign in"));
    one.message(said("m2"));

    signIn("ben");
    one.again();
    expect(kept()).toEqual(["m1"]);

    signIn("ada");
    one.again();
    await vi.waitFor(() => expect(one.idle).toBe(true));
    expect(kept()).toEqual(["m1", "m1", "m2"]);
    expect(one.trouble.value).toBeUndefined();
  });

  it("says what the box has no room for, keeps it, and does not ask again by itself", async () => {
    vi.mocked(keep).mockRejectedValueOnce(new Failure(413, "Delete some"));
    const one = keeper();
    one.message(said("m1"));
    await vi.waitFor(() => expect(one.trouble.value).toBe("Delete some"));

    expect([one.idle, kept()]).toEqual([false, ["m1"]]);
    one.again();
    await vi.waitFor(() => expect(one.idle).toBe(true));
    expect(kept()).toEqual(["m1", "m1"]);
  });

  it("is nothing once the conversation was deleted", async () => {
    const one = keeper();
    one.end();
    one.message(said("m1"), true);
    one.change({ title: "t" });
    await Promise.resolve();

    expect([kept(), vi.mocked(change).mock.calls]).toEqual([[], []]);
  });
});
