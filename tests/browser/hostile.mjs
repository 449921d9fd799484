// A model says what would be script on a page that trusted it. Here it is text: no element of it is made, nothing is asked for, and
// no link leads anywhere but to the web.
import { ask, assert, open, signIn, url } from "./harness.mjs";

const { browser, page, watched } = await open();
await signIn(page, "ada", "a longer word than most");
await page.exposeFunction("pwned", (how) => assert.fail(`script ran: ${how}`));
await page.getByRole("textbox", { name: "Message" }).fill(await ask("script"));
await page.getByRole("textbox", { name: "Message" }).press("Enter");
await page.locator("article.answer").getByText("the end of it").waitFor();
await page.getByRole("button", { name: "Send" }).waitFor();

const log = page.getByRole("log");
for (const element of [
  "script",
  "iframe",
  "object",
  "embed",
  "form",
  "base",
  "meta",
  "link",
  "style",
  "svg:not(.icon)",
  "math",
  "video",
  "audio",
  "img:not([src^='blob:']):not([src^='data:image/'])",
]) {
  assert.equal(await log.locator(element).count(), 0, element);
}
const handlers = await log.evaluate((log) =>
  [...log.querySelectorAll("*")].flatMap((each) =>
    [...each.attributes].filter(({ name }) => name.startsWith("on") || name === "srcdoc").map(({ name }) => name),
  ),
);
assert.deepEqual(handlers, []);
const links = await log
  .locator("a")
  .evaluateAll((links) => links.map((link) => [link.protocol, link.rel, link.target]));
assert.ok(links.length > 0, "a link to the web is one");
for (const [protocol, rel, target] of links) {
  assert.ok(["http:", "https:", "mailto:"].includes(protocol), protocol);
  assert.match(rel, /noopener/);
  assert.equal(target, "_blank");
}
const text = await log.innerText();
assert.match(text, /<script>/, "what it said is shown");
// And once more as it was kept.
await page.reload();
await page.locator("article.answer").getByText("the end of it").waitFor();
assert.equal(await log.locator("script, iframe, img, form, object").count(), 0);

watched.check();
await browser.close();
