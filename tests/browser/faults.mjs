// What may go wrong under an open page: the worker of a model dies in mid-answer, the box is started again, another tab writes.
import { answering, ask, assert, open, signIn, url } from "./harness.mjs";

const { browser, page, watched } = await open();
// What the browser itself says of a connection that is gone.
watched.expect(/Failed to load resource|ERR_/);
await signIn(page, "ada", "a longer word than most");
const message = page.getByRole("textbox", { name: "Message" });
const send = async (text) => {
  await message.fill(text);
  await message.press("Enter");
};
const log = page.getByRole("log");

await send("List a thousand animals.");
await answering(page);
const before = await log.innerText();
await ask("kill the worker");
// Another worker goes on with it: who reads it sees a pause.
await page.getByText(/tokens\/s/).waitFor();
await page.getByRole("button", { name: "Send" }).waitFor();
const whole = await log.innerText();
assert.ok(whole.length > before.length && whole.startsWith(before.trimEnd().slice(0, 60)), `${before}\n---\n${whole}`);
assert.equal(await page.getByRole("button", { name: "Try again" }).count(), 0);

// Power is cut in mid-answer: the page says that the box is gone, and goes on when it is back.
await send("List a thousand animals.");
await answering(page);
const said = await page.locator("article.answer").last().innerText();
await ask("kill the daemon");
await page.getByText("The box does not answer just now").waitFor();
await ask("start the daemon");
await page.getByText("The box does not answer just now").waitFor({ state: "detached" });
const kept = await page.locator("article.answer").last().innerText();
assert.ok(kept.startsWith(said.slice(0, 40)), "what it had said stays");
await page.getByRole("button", { name: "Try again" }).click();
await page.getByRole("button", { name: "Stop" }).click();
await page
  .getByText(/Stopped\./)
  .last()
  .waitFor();

// What one tab says another one shows.
const where = page.url();
const other = await browser.newPage();
await other.goto(where);
await other
  .getByText(/Stopped\./)
  .first()
  .waitFor();
await other.getByRole("textbox", { name: "Message" }).fill("Say: two tabs.");
await other.getByRole("textbox", { name: "Message" }).press("Enter");
await other.getByRole("button", { name: "Send" }).waitFor();
await page.bringToFront();
await page.evaluate(() => window.dispatchEvent(new Event("focus")));
await log.getByText("Say: two tabs.").waitFor();

// A page that is gone to for the first time while the box is away is there once the box is.
await ask("kill the daemon");
await page.getByRole("link", { name: "Network" }).click();
await page.getByRole("alert").getByText("The box does not answer").waitFor();
assert.equal(await page.getByText("has been updated").count(), 0);
await ask("start the daemon");
await page.getByRole("heading", { name: "Network", level: 1 }).waitFor();
const unstyled = await page.evaluate(() =>
  [...document.querySelectorAll('link[rel="stylesheet"]')].filter((link) => !link.sheet).map((link) => link.href),
);
assert.deepEqual(unstyled, []);
await page.goBack();
await message.waitFor();

// Signed out in one, nobody is signed in in the other.
await other.bringToFront();
await other.getByRole("button", { name: "Sign out" }).click();
await page.bringToFront();
await message.fill("Still here?");
await message.press("Enter");
await page.getByRole("heading", { name: /^Sign in to/ }).waitFor();

watched.check();
await browser.close();
