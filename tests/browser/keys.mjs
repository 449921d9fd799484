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

watched.check();
await browser.close();
