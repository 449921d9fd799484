import { describe, expect, it } from "vitest";
import type { Setting } from "../src/api/settings";
import { changed, fits, sectionOf, sectioned, shown, waits, without } from "../src/pages/settings/sections";

function setting(some: Partial<Setting>): Setting {
  return {
    name: "models.keep_alive",
    kind: "time",
    about: "How long an idle model stays.",
    default: "5m",
    value: "5m",
    origin: { layer: "default" },
    restart: false,
    ...some,
  };
}

describe("sections", () => {
  it("have each setting once, and what is unknown comes last", () => {
    const names = [
      "name",
      "models.dir",
      "cache.k",
      "lan.route",
      "listen",
      "hosts",
      "host",
      "key",
      "registry.proxy",
      "tls.names",
      "limits.idle",
      "cli.editor",
      "new.thing",
    ];
    const settings = names.map((name) => setting({ name }));
    expect(sectioned(settings).flatMap(({ settings }) => settings).length).toBe(names.length);
    expect(sectionOf("hosts")).toBe("network");
    expect(sectionOf("host")).toBe("client");
    expect(sectioned(settings).at(-1)).toEqual({ section: "other", settings: [setting({ name: "new.thing" })] });
  });
});

describe("a setting", () => {
  it("is found by its name, by what it decides in either language, and by its value", () => {
    for (const looked of ["keep", "IDLE stays", "闲置", "5m", ""])
      expect(fits(setting({}), "闲置的模型", looked), looked).toBe(true);
    expect(fits(setting({}), "", "disk")).toBe(false);
  });

  it("waits for a restart when what is kept is not in force", () => {
    expect(waits(setting({ restart: true, kept: "10m" }))).toBe(true);
    expect(waits(setting({ restart: true, kept: "5m", origin: { layer: "page" } }))).toBe(false);
    expect(waits(setting({ restart: true, origin: { layer: "page" } })), "taken back, and still in force").toBe(true);
    expect(waits(setting({ restart: false, kept: "10m" }))).toBe(false);
    expect(waits(setting({ restart: true, kept: "10m", locked: "set by HOB_MODELS__KEEP_ALIVE" }))).toBe(false);
  });

  it("that is typed back to what it was is no change", () => {
    const draft = changed({}, setting({}), "10m");
    expect(draft).toEqual({ "models.keep_alive": "10m" });
    expect(shown(setting({}), draft)).toBe("10m");
    expect(changed(draft, setting({}), "5m")).toEqual({});
  });

  it("of a number that is emptied is what is beneath, and an empty list is one", () => {
    expect(changed({}, setting({ kind: "number", value: "4" }), "")).toEqual({ "models.keep_alive": null });
    expect(changed({}, setting({ kind: "list", value: "a" }), "")).toEqual({ "models.keep_alive": "" });
  });

  it("that was typed while others were kept is there still", () => {
    const sent = { name: "Kitchen", "lan.share": null, "log.level": "debug" };
    const now = { name: "Kitchens", "lan.share": null, "models.parallel": "2" };
    expect(without(now, sent)).toEqual({ name: "Kitchens", "models.parallel": "2" });
    expect(without(sent, sent)).toEqual({});
  });
});
