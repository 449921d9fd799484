// Arguments: the folder of packages, the URL of a hob whose workers answer by scripts. Prints figures as JSON.
import { createRequire } from "node:module";
import { join } from "node:path";

const [packages, url] = process.argv.slice(2);
const { chromium } = createRequire(join(packages, "package.json"))("playwright-core");
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic"],
});

/** A first visit: nothing is in the browser's cache. */
async function visit() {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-GB" });
  const page = await context.newPage();
  await page.addInitScript(() => {
    const look = () => {
      const field = document.querySelector("main textarea");
      if (field && !field.disabled) window.typeable = performance.now();
      else requestAnimationFrame(look);
    };
    look();
  });
  await page.goto(url, { waitUntil: "commit" });
  await page.waitForFunction(() => window.typeable !== undefined);
  const typeable = await page.evaluate(() => window.typeable);
  await page.waitForLoadState("networkidle");
  const loaded = await page.evaluate(() =>
    [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
      .filter(({ name }) => !/\/(admin\/)?api\//.test(new URL(name).pathname))
      .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0),
  );
  return { context, page, typeable, loaded };
}

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
const visits = [];
for (let count = 0; count < 5; count += 1) {
  const { context, typeable, loaded } = await visit();
  visits.push({ typeable, loaded });
  await context.close();
}

// Ten thousand tokens of what models write, of four letters each, as fast as a fast model says them.
const PARAGRAPH =
  "Water boils at **100 °C** at sea level; *higher up* it boils sooner, as `p` falls. See [this](https://example.org).\n\n";
const BLOCK =
  "## A heading\n\n- one\n- two, with `code`\n- three\n\n```python\nfor n in range(10):\n    print(n)\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n";
const { page } = await visit();
await page
  .getByRole("textbox", { name: "Message" })
  .fill(JSON.stringify({ says: (PARAGRAPH.repeat(6) + BLOCK).repeat(4), tokens: 10_000, every_us: 2000 }));
await page.evaluate(() => {
  window.frames_ = [];
  let last = performance.now();
  const frame = (now) => {
    window.frames_.push(now - last);
    last = now;
    window.ticking = requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
});
await page.getByRole("textbox", { name: "Message" }).press("Enter");
await page.getByRole("button", { name: "Stop" }).waitFor();
await page.getByRole("button", { name: "Send" }).waitFor({ timeout: 120_000 });
const frames = await page.evaluate(() => window.frames_.slice(1));
const figures = {
  "a first visit, compressed bytes": median(visits.map(({ loaded }) => loaded)),
  "until the page can be typed into, ms": median(visits.map(({ typeable }) => typeable)),
  "10,000 tokens: frames over 100 ms": frames.filter((time) => time > 100).length,
  "10,000 tokens: the longest frame, ms": Math.max(...frames),
  "10,000 tokens: frames a second": (1000 * frames.length) / frames.reduce((sum, time) => sum + time, 0),
};
process.stdout.write(JSON.stringify(figures));
await browser.close();
