// Two people at one browser: whoever signs in again finds what they left, and nobody finds what somebody else did.
import { answering, assert, open, signIn } from "./harness.mjs";

const PASSWORD = "a longer word than most";

const { browser, page, watched } = await open();
watched.expect(/Failed to load resource/);
await signIn(page, "ada", PASSWORD);
const made = await page.evaluate(async (password) => {
  const body = JSON.stringify({
    name: "ben",
    password,
    role: "member",
    confirm: password,
  });
  const headers = { "content-type": "application/json" };
  return (await fetch("/admin/api/people", { method: "POST", headers, body })).status;
}, PASSWORD);
assert.equal(made, 201);

const message = page.getByRole("textbox", { name: "Message" });
const heading = page.getByRole("heading", { name: /^Sign in to/ });

/** The session ends as if an owner had ended it, under the page. */
async function endSession() {
  await page.evaluate(() =>
    fetch("/admin/api/logout", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    }),
  );
  await page.evaluate(() => window.dispatchEvent(new Event("focus")));
  await heading.waitFor();
}

/** Signs in where one is: the page is not loaded anew. */
async function signInHere(name) {
  await page.getByLabel("Your name").fill(name);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await message.waitFor();
}

// In mid-answer, with something half written.
await message.fill("List a thousand animals.");
await message.press("Enter");
await answering(page);
const said = (await page.locator("article.answer").last().innerText()).slice(0, 40);
await message.fill("half of a thought");
await endSession();
await signInHere("ada");
assert.equal(await message.inputValue(), "half of a thought");
const there = async () => (await page.locator("article.answer").last().innerText()).startsWith(said);
assert.ok(await there(), "what was answered is still there");
// And on the box.
await page
  .getByRole("link", { name: /thousand animals/ })
  .first()
  .waitFor();
await page.waitForFunction(
  async (text) => {
    const id = location.pathname.split("/").at(-1);
    const { messages } = await (await fetch(`/admin/api/conversations/${id}`)).json();
    return messages.some(({ content, state }) => state !== "answering" && content.includes(text));
  },
  said
    .split("\n")
    .reduce((longest, line) => (line.length > longest.length ? line : longest))
    .trim()
    .slice(0, 10),
);

// Somebody else begins with nothing.
await endSession();
// Whatever is drawn from here on, if for a moment only.
await page.evaluate(() => {
  window.seen = "";
  new MutationObserver(() => (window.seen += document.querySelector("#page").innerText)).observe(document, {
    childList: true,
    subtree: true,
  });
});
await signInHere("ben");
await page.getByRole("heading", { name: "What would you like to know?" }).waitFor();
assert.equal(await message.inputValue(), "");
assert.equal(new URL(page.url()).pathname, "/");
assert.equal(await page.getByRole("link", { name: /thousand animals/ }).count(), 0);
assert.ok(!/thousand animals/.test(await page.evaluate(() => window.seen)), "nothing of hers was drawn");

// Nor does she find his.
await message.fill("ben's own");
await endSession();
await signInHere("ada");
assert.equal(await message.inputValue(), "");
await page
  .getByRole("link", { name: /thousand animals/ })
  .first()
  .waitFor();

watched.check();
await browser.close();
