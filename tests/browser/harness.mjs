// A browser that trusts the box, as a person with their browser: what it is watched for on every page, and what scripts of tests
// need often. A script is told by its arguments: the folder of packages, the box's URL, a home whose certificate store knows the
// box's root, a folder for pictures; what else it needs it asks of whoever started it, line by line.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

const [packages, url, home, pictures] = process.argv.slice(2);
const require = createRequire(join(packages, "package.json"));
const { chromium } = require("playwright-core");

export { assert, packages, url };

/** Everything a test may wait for is there within this. */
export const PATIENCE = 60_000;

// What was to be seen when a script failed is shown with it.
let shown;
process.on("uncaughtException", async (error) => {
  process.stderr.write(`${error.stack ?? error}\n`);
  await shown?.screenshot({ path: join(pictures, "failed.png") }).catch(() => undefined);
  process.stderr.write(
    `${await shown
      ?.locator("body")
      .innerText()
      .catch(() => "")}\n`,
  );
  process.exit(1);
});

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

// A script that has done all it had to do ends, whether or not there could be answers.
process.stdin.unref();

/** Asks whoever started this script to do something, as to end a worker; what they answer. */
export async function ask(what) {
  process.stdin.ref();
  process.stdout.write(`ask: ${what}\n`);
  const { value, done } = await answers.next();
  process.stdin.unref();
  assert.ok(!done, `nobody answers "${what}"`);
  return JSON.parse(value);
}

const PORT = 19222;

/** A browser; `scheme` is light or dark, `language` a locale. */
export async function open({ scheme = "light", language = "en-GB", phone = false, debug = false } = {}) {
  mkdirSync(pictures, { recursive: true });
  const browser = await chromium.launchPersistentContext(join(home, `profile-${process.pid}-${Math.random()}`), {
    executablePath: "/usr/bin/chromium",
    // The sandbox of the browser itself is not for root.
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", ...(debug ? [`--remote-debugging-port=${PORT}`] : [])],
    env: { ...process.env, HOME: home },
    colorScheme: scheme,
    locale: language,
    viewport: phone ? { width: 375, height: 812 } : { width: 1280, height: 800 },
    hasTouch: phone,
    isMobile: phone,
    deviceScaleFactor: phone ? 2 : 1,
    permissions: ["clipboard-read", "clipboard-write"],
    acceptDownloads: true,
  });
  browser.setDefaultTimeout(PATIENCE);
  const watched = watch(browser);
  const page = browser.pages()[0] ?? (await browser.newPage());
  shown = page;
  return { browser, page, watched, port: PORT };
}

/** What no page may do: ask another host, break its policy, or fail in its script. */
function watch(browser) {
  const wrong = [];
  const expected = [];
  browser.on("request", (request) => {
    const to = new URL(request.url());
    if (to.origin !== new URL(url).origin && !["blob:", "data:"].includes(to.protocol))
      wrong.push(`asked ${request.url()}`);
  });
  browser.on("weberror", (error) => wrong.push(`script: ${error.error().stack}`));
  browser.on("console", (message) => {
    if (message.type() !== "error" && !/violat|policy/i.test(message.text())) return;
    if (!expected.some((pattern) => pattern.test(message.text())))
      wrong.push(`console: ${message.text()} (${message.location().url})`);
  });
  return {
    /** Errors on the console that belong to the test, as of a refused request. */
    expect: (pattern) => expected.push(pattern),
    check: () => assert.deepEqual(wrong, []),
  };
}

/** Finds what axe does not accept on the page as it is. */
export async function accessible(page, where) {
  // Its script is not the page's, so it is brought in past the policy.
  await page.evaluate(`(() => { if (!window.axe) { ${AXE} } })()`);
  const { violations } = await page.evaluate(() =>
    window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }),
  );
  const serious = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  const said = serious.map(
    ({ id, help, nodes }) =>
      `${id}: ${help}\n${nodes.map((node) => `    ${node.html.slice(0, 160)} ${node.failureSummary}`).join("\n")}`,
  );
  assert.deepEqual(said, [], where);
}

const AXE = require("axe-core").source;

/** Takes a picture of the page. */
export async function picture(page, name) {
  await page.screenshot({ path: join(pictures, `${name}.png`), animations: "disabled" });
}

/** Waits until the last answer of a conversation has begun to say something, and is not at its end. */
export async function answering(page) {
  await page.getByRole("button", { name: "Stop" }).waitFor();
  await page.waitForFunction(() => [...document.querySelectorAll("article.answer")].at(-1)?.innerText.length > 40);
}

/** Signs in. */
export async function signIn(page, name, password) {
  await page.goto(url);
  await page.getByLabel("Your name").fill(name);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator("#content").waitFor();
}

export { require };
