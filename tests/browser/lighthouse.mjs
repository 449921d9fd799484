// Lighthouse on every page, in the browser that is signed in: accessibility and best practices.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { assert, open, packages, signIn, url } from "./harness.mjs";

const LEAST = 0.95;

const { default: lighthouse } = await import(pathToFileURL(join(packages, "node_modules/lighthouse/core/index.js")));
const { browser, page, watched, port } = await open({ debug: true });
await signIn(page, "ada", "a longer word than most");
const poor = [];
for (const path of ["/", "/models", "/now", "/keys", "/network", "/settings", "/connect", "/records"]) {
  const flags = {
    port,
    onlyCategories: ["accessibility", "best-practices"],
    // The session is a cookie, and the box is on the other end of a cable.
    disableStorageReset: true,
    throttlingMethod: "provided",
    formFactor: "desktop",
    screenEmulation: { disabled: true },
    logLevel: "error",
  };
  const { lhr } = await lighthouse(url + path, flags);
  assert.equal(lhr.runtimeError, undefined, JSON.stringify(lhr.runtimeError));
  for (const { id, score, auditRefs } of Object.values(lhr.categories)) {
    const failed = auditRefs
      .filter(({ id, weight }) => weight > 0 && (lhr.audits[id].score ?? 1) < 1)
      .map(({ id }) => id);
    process.stdout.write(
      `${path} ${id} ${Math.round(score * 100)}${failed.length > 0 ? ` (${failed.join(", ")})` : ""}\n`,
    );
    if (score < LEAST)
      poor.push(
        `${path}: ${id} ${score}: ${failed.map((id) => `${id} ${JSON.stringify(lhr.audits[id].details?.items?.slice(0, 3))}`).join("; ")}`,
      );
  }
}
assert.deepEqual(poor, []);
watched.check();
await browser.close();
