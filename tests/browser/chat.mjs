// A conversation with a real model: asked, stopped, asked again, edited, kept on the box, found, exported and deleted.
import { readFileSync } from "node:fs";
import { accessible, answering, assert, open, signIn } from "./harness.mjs";

const { browser, page, watched } = await open();
await signIn(page, "ada", "a longer word than most");

await page.getByRole("heading", { name: "What would you like to know?" }).waitFor();
await accessible(page, "an empty chat");
const message = page.getByRole("textbox", { name: "Message" });
const send = async (text) => {
  await message.fill(text);
  await message.press("Enter");
};
const idle = () => page.getByRole("button", { name: "Send" }).waitFor();

// A long answer is stopped; what it said stays.
await send("List a thousand animals.");
await answering(page);
await page.getByRole("button", { name: "Stop" }).click();
await page.getByText("Stopped.").waitFor();
await page.waitForURL(/\/chat\/[A-Za-z0-9_-]{16,}$/);
await accessible(page, "a stopped answer");

// What a person sees of it is where it is kept.
const first = await page.getByRole("log").innerText();
assert.ok(first.length > 60, first);
await page.reload();
await page.getByText("Stopped.").waitFor();
assert.equal(await page.getByRole("log").innerText(), first, "it is on the box as it was on the page");

// Once more, and back to the one before.
await page.getByRole("button", { name: "Answer again" }).last().click();
await page.getByText("2 of 2").waitFor();
await answering(page);
await page.getByRole("button", { name: "Stop" }).click();
await idle();
await page.getByRole("button", { name: "Earlier version" }).last().click();
await page.getByText("1 of 2").waitFor();
await page.getByText("Stopped.").waitFor();

// It goes on by itself to the end, and says how fast it was.
await send("Say hello.");
await page
  .getByText(/tokens\/s/)
  .last()
  .waitFor();
await idle();

// A question that is edited begins a branch beside it.
await page.getByRole("button", { name: "Edit" }).first().click();
await page.getByRole("textbox", { name: "Edit your message" }).fill("Say hello in Chinese. 你好吗?");
await page.getByRole("textbox", { name: "Edit your message" }).press("Enter");
await page.getByText("2 of 2").first().waitFor();
await page.getByRole("button", { name: "Stop" }).waitFor();
await idle();

// Found again by its words, in either language; renamed; exported; deleted.
const search = page.getByRole("searchbox", { name: "Search conversations" });
for (const [words, there] of [
  ["你好", true],
  ["zebra crossing", false],
]) {
  await search.fill(words);
  if (there)
    await page
      .getByRole("link", { name: /thousand animals/ })
      .first()
      .waitFor();
  else await page.getByText("Nothing contains").waitFor();
}
await search.fill("");
await page
  .getByRole("button", { name: /Actions for .*thousand animals/ })
  .first()
  .click();
const [download] = await Promise.all([
  page.waitForEvent("download"),
  page.getByRole("menuitem", { name: "Export as Markdown" }).click(),
]);
assert.match(readFileSync(await download.path(), "utf8"), /你好吗/);
await page
  .getByRole("button", { name: /Actions for .*thousand animals/ })
  .first()
  .click();
await page.getByRole("menuitem", { name: "Rename" }).click();
await page.getByLabel("Title").fill("Weather");
await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
await page.getByRole("link", { name: "Weather" }).waitFor();
await page.getByRole("button", { name: "Actions for Weather" }).click();
await page.getByRole("menuitem", { name: "Delete" }).click();
await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
await page.getByRole("heading", { name: "What would you like to know?" }).waitFor();
assert.equal(await page.getByRole("link", { name: "Weather" }).count(), 0);

watched.check();
await browser.close();
