// What keeps a box for years: settings that count at once, are refused, or wait for a restart; a backup that is restored; what is
// said of the box to whoever helps; and records, as they come.
import { readFileSync } from "node:fs";
import { accessible, assert, open, signIn, url } from "./harness.mjs";

const { browser, page, watched } = await open();
const password = "a longer word than most";
const passphrase = "a passphrase of many words";
// What the browser itself says of a refusal, and of a connection that is gone.
watched.expect(/Failed to load resource|ERR_/);
await signIn(page, "ada", password);

const menu = page.getByRole("navigation", { name: "Pages" });
const save = page.getByRole("button", { name: "Save", exact: true });
const named = page.getByRole("textbox", { name: "What people call the box." });
const kept = () => page.getByRole("region", { name: /^\d+ changes?$/ }).waitFor({ state: "detached" });
const rename = async (name) => {
  await named.fill(name);
  await save.click();
  await kept();
  await menu.getByText(name, { exact: true }).waitFor();
};

// What is wrong is told beside its field, and nothing of it is kept.
await menu.getByRole("link", { name: "Settings" }).click();
const idle = page.getByRole("textbox", { name: /^How long an idle model stays/ });
await named.fill("Kitchen");
await idle.fill("soon");
await save.click();
await page.locator("input[aria-invalid=true]").waitFor();
assert.equal(await idle.getAttribute("aria-invalid"), "true");
const told = await idle.evaluate((field) =>
  (field.getAttribute("aria-describedby") ?? "")
    .split(" ")
    .map((id) => document.getElementById(id)?.textContent)
    .join(" "),
);
assert.match(told, /soon/);
assert.equal(await menu.getByText("Kitchen", { exact: true }).count(), 0);
await accessible(page, "a setting that is refused");
// What is right counts at once.
await idle.fill("10m");
await save.click();
await kept();
await menu.getByText("Kitchen", { exact: true }).waitFor();
await page.reload();
await menu.getByText("Kitchen", { exact: true }).waitFor();
assert.equal(await named.inputValue(), "Kitchen");
assert.equal(await idle.inputValue(), "10m");

// What waits for a restart says so; the page goes on by itself after it.
await page.getByLabel("Find a setting").fill("models.parallel");
const parallel = page.getByRole("textbox", { name: "Requests that one model answers at once." });
await parallel.fill("2");
await save.click();
await kept();
const waits = page.getByText("1 setting waits for a restart.");
await waits.waitFor();
await page.getByRole("button", { name: "Restart" }).first().click();
await page.getByRole("dialog").getByRole("button", { name: "Restart it" }).click();
await page.getByText("The box is back.").waitFor();
await waits.waitFor({ state: "detached" });
assert.equal(await parallel.inputValue(), "2");

// A backup, of a box that is called something else afterwards.
await page.getByRole("link", { name: "Backup and reset" }).click();
const backup = page.getByRole("region", { name: "Backup", exact: true });
await backup.getByLabel("Passphrase", { exact: true }).fill(passphrase);
await backup.getByLabel("Passphrase, once more").fill(passphrase);
await backup.getByLabel("Your password").fill(password);
const [download] = await Promise.all([
  page.waitForEvent("download"),
  backup.getByRole("button", { name: "Make a backup" }).click(),
]);
assert.match(download.suggestedFilename(), /\.hobbackup$/);
const file = {
  name: "box.hobbackup",
  mimeType: "application/octet-stream",
  buffer: readFileSync(await download.path()),
};
assert.ok(!file.buffer.includes("Kitchen"), "it is encrypted");
await page.getByRole("link", { name: "Settings" }).last().click();
await rename("Cellar");

// Diagnostics are seen before they are given away.
await page.getByRole("link", { name: "Backup and reset" }).click();
const diagnostics = page.getByRole("region", { name: "Diagnostics" });
await diagnostics.getByRole("button", { name: "Show it" }).click();
const dialog = page.getByRole("dialog", { name: "Diagnostics" });
const shown = await dialog.locator("pre").innerText();
assert.ok(JSON.parse(shown).settings !== undefined && shown.includes("Cellar"), shown);
assert.ok(!shown.includes(password) && !shown.includes(passphrase));
await accessible(page, "diagnostics");
const [saved] = await Promise.all([
  page.waitForEvent("download"),
  dialog.getByRole("button", { name: "Save as a file" }).click(),
]);
assert.deepEqual(JSON.parse(readFileSync(await saved.path(), "utf8")), JSON.parse(shown));
await dialog.getByRole("button", { name: "Close" }).click();

// What is done in one tab is seen in another as it is done.
const records = await browser.newPage();
await records.goto(`${url}/records`);
const audited = records.getByRole("row").filter({ hasText: "Made a key" });
await records.getByRole("row").filter({ hasText: "Made a backup" }).first().waitFor();
assert.equal(await audited.count(), 0);
await page.bringToFront();
await menu.getByRole("link", { name: "Keys and people" }).click();
await page.getByRole("button", { name: "Make a key" }).first().click();
await page.getByLabel("What is it for?").fill("Reading lamp");
await page.getByLabel("Your password").fill(password);
await page.getByRole("dialog").getByRole("button", { name: "Make the key" }).click();
await page.getByRole("button", { name: "I have it" }).click();
await records.bringToFront();
await audited.filter({ hasText: "ada" }).waitFor();
await records.getByLabel("How it ended").selectOption({ label: "refused" });
await audited.waitFor({ state: "detached" });

// The log, by what is looked for.
await records.getByRole("link", { name: "Logs", exact: true }).click();
const lines = records.getByRole("log", { name: "Lines of the log" });
await lines.getByRole("paragraph").first().waitFor();
await records.getByLabel("Text").fill("listening");
await records.waitForFunction(() => {
  const lines = [...document.querySelectorAll("[role=log] p")].map((line) => line.textContent.toLowerCase());
  return lines.length > 0 && lines.every((line) => line.includes("listening"));
});
await records.getByLabel("Text").fill("what no line says");
await records.getByText("No line says so.").waitFor();
await records.close();

// The box as it was: whoever is here signs in to it.
await page.goto(`${url}/settings?tab=upkeep`);
const restore = page.getByRole("region", { name: /^Restore/ });
const put = async (passphrase) => {
  await restore.locator("input[type=file]").setInputFiles(file);
  await restore.getByLabel("Passphrase", { exact: true }).fill(passphrase);
  await restore.getByLabel("Your password").fill(password);
  await restore.getByRole("button").last().click();
};
await put("not the passphrase");
await restore.locator("input[aria-invalid=true]").waitFor();
await put(passphrase);
await page.getByText("The backup is good.", { exact: false }).waitFor();
await page.getByRole("dialog").getByRole("button", { name: "Go on" }).click();
await page.getByRole("heading", { level: 1, name: "Sign in to Kitchen" }).waitFor();
await signIn(page, "ada", password);
await menu.getByText("Kitchen", { exact: true }).waitFor();

watched.check();
await browser.close();
