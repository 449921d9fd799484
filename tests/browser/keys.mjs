// A key for a program: made, shown once, used, revoked, and then of no use; and somebody of the house, who may chat and no more.
import { accessible, ask, assert, open, signIn, url } from "./harness.mjs";

const { browser, page, watched } = await open();
const password = "a longer word than most";
await signIn(page, "ada", password);
await page.getByRole("link", { name: "Keys and people" }).click();

await page.getByRole("button", { name: "Make a key" }).first().click();
const dialog = page.getByRole("dialog");
await dialog.getByLabel("What is it for?").fill("Reading lamp");
await accessible(page, "a new key");
watched.expect(/status of 4\d\d/);
await dialog.getByLabel("Your password").fill("not the password");
await dialog.getByRole("button", { name: "Make the key" }).click();
await dialog
  .getByRole("alert")
  .filter({ hasText: /password/ })
  .waitFor();
await dialog.getByLabel("Your password").fill(password);
await dialog.getByRole("button", { name: "Make the key" }).click();
const key = (await dialog.locator("code").innerText()).trim();
assert.match(key, /^hob_[A-Za-z0-9_]{30,}$/);
await accessible(page, "a key that is shown once");
// It is not lost by a key that is pressed too soon.
await page.keyboard.press("Escape");
await page.keyboard.press("Escape");
await dialog.getByText("It was not copied yet.").waitFor();
await dialog.getByRole("button", { name: "I have it" }).click();
assert.ok(!(await page.locator("body").innerText()).includes(key), "it is shown once");

// It works, from where it was meant to.
assert.equal((await ask(`chat by ${key}`)).status, 200);
await page
  .getByRole("row", { name: /Reading lamp/ })
  .getByRole("button", { name: "Revoke" })
  .click();
await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
await page.getByText("“Reading lamp” is revoked.").waitFor();
assert.equal((await ask(`chat by ${key}`)).status, 401);

// Somebody of the house, who is given a name and a password by the page.
await page.getByRole("link", { name: "People" }).last().click();
await page.getByRole("button", { name: "Add somebody" }).click();
await dialog.getByLabel("Name", { exact: true }).fill("bob");
await dialog.getByLabel("Password", { exact: true }).fill("what bob was told");
await dialog.getByLabel("Your password").fill(password);
await accessible(page, "somebody who is added");
await dialog.getByRole("button", { name: "Add", exact: true }).click();
const bobs = page.getByRole("row", { name: /bob/ });
await bobs.getByText("Member").waitFor();

// They see what is for them, and are told so of the rest, also if they know where it is.
const theirs = await open();
theirs.watched.expect(/status of 40[13]/);
await signIn(theirs.page, "bob", "what bob was told");
const pages = theirs.page.getByRole("navigation", { name: "Pages" }).getByRole("link");
assert.deepEqual(await pages.allInnerTexts(), ["Chat", "Models", "Your account", "Connect"]);
for (const path of ["/now", "/network", "/settings", "/records"]) {
  await theirs.page.goto(url + path);
  await theirs.page.getByText("Only an owner of this box can see this.").waitFor();
}
await theirs.page.goto(`${url}/keys`);
await theirs.page.getByRole("heading", { level: 1, name: "Your account" }).waitFor();
await accessible(theirs.page, "the account of a member");
const asked = (path) => theirs.page.evaluate((path) => fetch(path).then(({ status }) => status), path);
assert.equal(await asked("/admin/api/people"), 403);
await theirs.page.goto(url);
await theirs.page.getByRole("textbox", { name: "Message" }).fill("Say hello.");
await theirs.page.getByRole("textbox", { name: "Message" }).press("Enter");
await theirs.page.getByText(/tokens\/s/).waitFor();

// Once they are removed, the page in front of them is of no use any more, and they cannot come back.
await bobs.getByRole("button", { name: "Remove" }).click();
await page.getByRole("dialog").getByLabel("Your password").fill(password);
await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
await page.getByText("bob is removed.").waitFor();
assert.equal(await asked("/admin/api/conversations"), 401);
await theirs.page.reload();
await theirs.page.getByLabel("Your name").fill("bob");
await theirs.page.getByLabel("Password").fill("what bob was told");
await theirs.page.getByRole("button", { name: "Sign in" }).click();
await theirs.page.getByRole("alert").waitFor();
theirs.watched.check();
await theirs.browser.close();

watched.check();
await browser.close();
