// A first model, got by name from a registry that is slow: the box pulls it, with or without a page, and it can be paused.
import { accessible, ask, assert, open, picture, signIn, url } from "./harness.mjs";

const { browser, page, watched } = await open();
await signIn(page, "ada", "a longer word than most");
// Whoever has no model is led to where they get one.
await page.getByRole("link", { name: "Get a model" }).click();
await page.getByRole("heading", { level: 1, name: "Models" }).waitFor();
await accessible(page, "no model yet");
await picture(page, "models-none-light");

const { name } = await ask("registry");
await page.getByLabel("Another one, by its name").fill(name);
await page.getByLabel("This registry has no TLS").check();
await page.getByRole("button", { name: "Get", exact: true }).click();
const progress = page.getByRole("progressbar");
await progress.waitFor();
const come = async () => Number(await progress.getAttribute("value"));
const beyond = (bytes) =>
  page.waitForFunction(
    (bytes) => Number(document.querySelector("progress")?.getAttribute("value") ?? 0) > bytes,
    bytes,
  );
await beyond(0);
await picture(page, "models-pull-light");
await page.getByRole("button", { name: "Pause" }).click();
await page.getByText("Paused").waitFor();
const paused = await come();
assert.ok(paused > 0);

// It is the box that pulls: the page is loaded anew, and shows how far it is.
await page.reload();
await page.getByText("Paused").waitFor();
await page.getByRole("button", { name: "Go on" }).click();
await beyond(paused);
await page.goto(`${url}/connect`);
await page.goto(`${url}/models`);
await page
  .getByRole("link", { name: new RegExp(name.split("/").pop().split(":")[0]) })
  .first()
  .waitFor();
await accessible(page, "a first model");

watched.check();
await browser.close();
