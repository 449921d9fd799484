// What is asked of the box, and what comes back from it.
import { describe, expect, it } from "vitest";
import { leadsElsewhere } from "../src/api/client";
import { readable } from "../src/api/conversations";

describe("paths", () => {
  it("that a browser would make another one of are not asked for", () => {
    for (const path of ["/a/../b", "/a/..", "/./a", "/a/%2e%2E/b", "/a/.%2e", "/a\\..\\b", "/a/..?x"])
      expect(leadsElsewhere(path), path).toBe(true);
    for (const path of ["/a/...", "/a.b/c", "/a?x=/../", "/a/%252e%252e", "/"])
      expect(leadsElsewhere(path), path).toBe(false);
  });
});

describe("calls of tools", () => {
  it("are shown if they are any", () => {
    const call = { function: { name: "f", arguments: {} } };
    expect(readable([call, "text", 1, null, { function: null }, { function: { name: 1 } }])).toEqual([call]);
    expect(readable(undefined)).toEqual([]);
    expect(readable(null)).toEqual([]);
  });
});
