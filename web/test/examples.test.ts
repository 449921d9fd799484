import { describe, expect, it } from "vitest";
import { addresses } from "../src/pages/connect/addresses";
import { CLIENTS, EXAMPLES, examples, trusting, type Filling } from "../src/pages/connect/examples";

const remote: Filling = {
  address: "https://hob-abcd.local:11443",
  key: "hob_key",
  model: "smollm2",
  root: "hob-abcd.pem",
};
const owned: Filling = { ...remote, root: undefined };
const local: Filling = { address: "http://localhost:11434", key: "hob", model: "smollm2", root: undefined };

const texts = (filling: Filling): string[] =>
  Object.keys(CLIENTS).flatMap((client) => examples(client, filling).map(({ text }) => text));

describe("examples", () => {
  it("are there for every program, and of no other", () => {
    expect([...new Set(EXAMPLES.map((example) => example.client))]).toEqual(Object.keys(CLIENTS));
  });

  it("have nothing left to be filled in", () => {
    for (const text of [remote, owned, local].flatMap(texts)) {
      expect(text).not.toMatch(/\{(address|key|model|root|local|remote)\b/);
      expect(text).not.toContain("undefined");
    }
  });

  it("of a box elsewhere say how its root is trusted", () => {
    expect(examples("curl", remote)[0]!.text).toContain(
      "curl --cacert hob-abcd.pem https://hob-abcd.local:11443/v1/chat/completions",
    );
    expect(trusting("python", remote)).toBe("export SSL_CERT_FILE=hob-abcd.pem");
    expect(examples("claude-code", remote)[0]!.text).toMatch(/^export NODE_EXTRA_CA_CERTS=hob-abcd.pem\n/);
    expect(examples("open-webui", remote)[0]!.text).toContain('-v "$PWD/hob-abcd.pem:/hob-abcd.pem:ro"');
  });

  it("say nothing of trust where there is nothing to be trusted", () => {
    for (const filling of [owned, local]) {
      expect(texts(filling).join()).not.toMatch(/cacert|pem|CERT/);
      expect(trusting("python", filling)).toBeUndefined();
    }
  });

  it("of a box that is asked in plaintext need a key, and nothing to be trusted", () => {
    const plain: Filling = { ...remote, address: "http://192.168.1.5:11434", root: undefined };
    expect(examples("home-assistant", plain).map(({ text }) => text)).toEqual([plain.address, "hob_key"]);
    expect(examples("open-webui", plain)[0]!.text).toContain("-p 3000:8080");
  });

  it("on the box itself need no key where one is asked for by itself", () => {
    expect(examples("home-assistant", local).map(({ text }) => text)).toEqual(["http://localhost:11434"]);
    expect(examples("home-assistant", owned).map(({ text }) => text)).toEqual([owned.address, "hob_key"]);
  });
});

it("addresses are there once, the one by which the page came first", () => {
  expect(
    addresses(
      "https://192.168.1.5:11443",
      ["https://hob-abcd.local:11443/", "https://192.168.1.5:11443"],
      ["http://127.0.0.1:11434", "http://[::1]:11434"],
    ),
  ).toEqual(["https://192.168.1.5:11443", "https://hob-abcd.local:11443", "http://localhost:11434"]);
});
