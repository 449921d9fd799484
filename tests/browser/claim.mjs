// Nobody owns the box: whoever has its code makes it theirs by the page, and is then signed in; later they sign in by password.
import { accessible, ask, assert, open, picture, signIn, url } from "./harness.mjs";

const { browser, page, watched } = await open();
const { code, id } = await ask("code");

await page.goto(`${url}/settings`);
await page.getByRole("heading", { level: 1, name: "Make this box yours" }).waitFor();
// What is compared is what the console shows.
assert.equal((await page.locator(".spelled span").allTextContents()).join("-"), id);
assert.ok(await page.getByLabel("Setup code").isDisabled(), "nobody types a code before the IDs were compared");
await accessible(page, "claim");
await picture(page, "claim-light");

await page.getByLabel("The IDs are the same").check();
await page.getByLabel("Setup code").fill("WRNGCODE");
await page.getByLabel("Your name").fill("ada");
await page.getByLabel("Password", { exact: true }).fill("a longer word than most");
await page.getByLabel("Password, once more").fill("another word");
watched.expect(/status of 401/);
await page.getByRole("button", { name: "Claim this box" }).click();
await page.getByText("The two passwords are not the same").waitFor();
await page.getByLabel("Password, once more").fill("a longer word than most");
await page.getByRole("button", { name: "Claim this box" }).click();
await page.getByRole("alert").filter({ hasText: /code/ }).waitFor();
await accessible(page, "claim, refused");

await page.getByLabel("Setup code").fill(code.toLowerCase());
await page.getByLabel("What do you call it?").fill("Kitchen");
await page.getByLabel("Paired boxes of mine may have this box's models").uncheck();
await page.getByRole("button", { name: "Claim this box" }).click();
// Where they wanted to go in the first place.
await page.getByRole("heading", { level: 1, name: "Settings" }).waitFor();
assert.match(await page.title(), /Kitchen/);
// And as they wanted it.
assert.equal(await page.locator("#setting-lan\\.share").getByRole("checkbox").isChecked(), false);
const { settings } = await page.evaluate(() => fetch("/admin/api/settings").then((answer) => answer.json()));
assert.equal(settings.find(({ name }) => name === "lan.share").value, "false");

await page.getByRole("button", { name: "Sign out" }).click();
await page.getByRole("heading", { level: 1, name: "Sign in to Kitchen" }).waitFor();
await accessible(page, "signing in");
await picture(page, "signin-light");
await page.getByLabel("Your name").fill("ada");
await page.getByLabel("Password").fill("not the password");
await page.getByRole("button", { name: "Sign in" }).click();
await page.getByRole("alert").waitFor();
await signIn(page, "ada", "a longer word than most");

watched.check();
await browser.close();
