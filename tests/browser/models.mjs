// What is done with a model: another is made from it, tried for size, loaded, kept, copied and removed.
import { accessible, assert, open, signIn, url } from "./harness.mjs";

const { browser, page, watched } = await open();
await signIn(page, "ada", "a longer word than most");
await page.goto(`${url}/models?show=smollm2:latest`);
const dialog = page.getByRole("dialog");
const heading = (name) => page.getByRole("heading", { level: 1, name }).waitFor();

await page.getByRole("button", { name: "Make another from it" }).click();
await dialog.getByLabel("Its name").fill("helper:latest");
await dialog.getByLabel("System prompt").fill("You answer as a lighthouse keeper.");
await dialog.getByLabel("Parameters").fill("temperature");
await dialog.getByRole("button", { name: "Make it" }).click();
await dialog.getByText("Line 1 is not a name and a value.").waitFor();
await accessible(page, "a wrong line");
await dialog.getByLabel("Parameters").fill("top_p 0.25");
await dialog.getByRole("button", { name: "Make it" }).click();
await heading("helper:latest");
await page.getByText("System prompt", { exact: true }).click();
await page.getByText("You answer as a lighthouse keeper.").first().waitFor();
await page.getByText("Its parameters", { exact: true }).click();
await page
  .getByText(/top_p\s+0\.25/)
  .first()
  .waitFor();

// What it takes depends on the context.
const total = page.getByText(/It takes .* of the .* that models may/);
const estimate = async (context) => {
  const before = (await total.count()) > 0 ? await total.innerText() : "";
  await page.getByLabel("Context for each conversation").selectOption(context);
  await page.waitForFunction((before) => {
    const now = [...document.querySelectorAll("p")].find((each) => each.innerText.includes("that models may"));
    return now && now.innerText !== before;
  }, before);
  return total.innerText();
};
await total.waitFor();
const small = await estimate("2048");
const large = await estimate("8192");
assert.match(small, /2,048 tokens/);
assert.match(large, /8,192 tokens/);
await accessible(page, "an estimate");

// In memory and out again; kept there; and there after a start.
await page.getByRole("button", { name: "Load now" }).click();
await page.getByRole("button", { name: "Unload" }).waitFor();
const keep = page.getByLabel("Keep it in memory");
await keep.check();
await page.getByText(/stays/).first().waitFor();
await page.reload();
await page.getByText(/stays/).first().waitFor();
assert.ok(await keep.isChecked());
await keep.uncheck();
await page
  .getByText(/goes in /)
  .first()
  .waitFor();
await page.getByRole("button", { name: "Unload" }).click();
await page.getByRole("button", { name: "Load now" }).waitFor();
const preload = page.getByLabel("Load it when the box starts");
const kept = page.waitForResponse(
  (answer) => answer.request().method() === "PUT" && answer.url().endsWith("/settings"),
);
await preload.check();
assert.equal((await kept).status(), 200);
await page.reload();
await page.waitForFunction(() => [...document.querySelectorAll("input[type=checkbox]")].at(-1)?.checked);
assert.ok(await preload.isChecked());
const undone = page.waitForResponse(
  (answer) => answer.request().method() === "PUT" && answer.url().endsWith("/settings"),
);
await preload.uncheck();
assert.equal((await undone).status(), 200);

await page.getByRole("button", { name: "Copy", exact: true }).click();
await dialog.getByLabel("The name of the copy").fill("keeper:latest");
await dialog.getByRole("button", { name: "Copy" }).click();
await heading("keeper:latest");
await page.getByRole("button", { name: "Remove" }).click();
await dialog.getByRole("button", { name: "Remove" }).click();
await heading("Models");
await page.getByRole("link", { name: "helper:latest" }).waitFor();
await page.getByRole("link", { name: "keeper:latest" }).waitFor({ state: "detached" });

watched.check();
await browser.close();
