import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import about, { why } from "../src/words/zh/about";

/** What the box itself tells of its settings, in English. */
const CATALOGUE = new URL("../../daemon/hob/src/settings/catalogue.rs", import.meta.url);

it("each setting is told in Chinese, and no other", () => {
  const text = readFileSync(CATALOGUE, "utf8").split("#[cfg(test)]")[0]!;
  const names = [...text.matchAll(/Known::new\(\s*"([a-z0-9_.]+)"/g)].map(([, name]) => name!);
  if (text.includes("Known::new(PROXY")) names.push("registry.proxy");
  expect(names.length).toBeGreaterThan(60);
  expect(Object.keys(about).sort()).toEqual(names.sort());
});

it("each reason why a setting is not changed here is told in Chinese", () => {
  const text = readFileSync(CATALOGUE, "utf8");
  const reasons = [...text.matchAll(/^const [A-Z_]+: &str =\s*"([^"]+)"/gm)]
    .map(([, reason]) => reason!)
    .filter((reason) => reason.includes(" "));
  expect(Object.keys(why).sort()).toEqual(reasons.sort());
});
