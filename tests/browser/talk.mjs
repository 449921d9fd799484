// What else a conversation has: instructions and parameters, code that is coloured and copied, and two models side by side.
import { accessible, ask, assert, open, signIn } from "./harness.mjs";

const { browser, page, watched } = await open();
await ask("a twin");
await signIn(page, "ada", "a longer word than most");
const message = page.getByRole("textbox", { name: "Message" });
const idle = () => page.getByRole("button", { name: "Send" }).waitFor();
const log = page.getByRole("log");

/** Says it, and what the box is asked for it: a request for each model. */
async function send(text, models = 1) {
  const asked = [];
  const listen = (request) => {
    if (new URL(request.url()).pathname === "/api/chat") asked.push(request.postDataJSON());
  };
  page.on("request", listen);
  await message.fill(text);
  await message.press("Enter");
  await page.getByRole("button", { name: "Stop" }).waitFor();
  await idle();
  page.off("request", listen);
  assert.equal(asked.length, models);
  return models === 1 ? asked[0] : asked;
}

// Instructions and parameters reach the model, and are the conversation's.
const settings = page.getByRole("button", { name: "Instructions and parameters" });
await settings.click();
const dialog = page.getByRole("dialog");
await dialog.getByLabel("Temperature").fill("nine");
await dialog.getByRole("button", { name: "Save" }).click();
await dialog.getByText(/^A number, 0 or more|^A number from 0/).waitFor();
await accessible(page, "a wrong parameter");
await dialog.getByLabel("Temperature").fill("0.5");
await dialog.getByLabel("Instructions").fill("You are a cook.");
await dialog.getByRole("button", { name: "Save" }).click();
await dialog.waitFor({ state: "detached" });

// Code is read at once, coloured when it is whole, and copied as it was said.
const code = 'fn main() {\n    println!("hob");\n}';
const says = `Here it is:\n\n\`\`\`rust\n${code}\n\`\`\`\n\nthe end of it`;
const asked = await send(JSON.stringify({ says, every_us: 20_000, first_ms: 500 }));
assert.deepEqual(asked.messages[0], { role: "system", content: "You are a cook." });
assert.equal(asked.options.temperature, 0.5);
await page.getByText("the end of it").last().waitFor();
await log.locator("figure.code code span").first().waitFor();
await page.getByRole("button", { name: "Copy the code" }).click();
assert.equal((await page.evaluate(() => navigator.clipboard.readText())).trimEnd(), code);
await page.waitForURL(/\/chat\//);
await page.reload();
await page.getByText("the end of it").last().waitFor();
await settings.click();
assert.equal(await dialog.getByLabel("Instructions").inputValue(), "You are a cook.");
assert.equal(await dialog.getByLabel("Temperature").inputValue(), "0.5");
await dialog.getByRole("button", { name: "Cancel" }).click();

// No model here sees, so no picture is offered.
assert.equal(await page.getByRole("button", { name: "Add a picture" }).count(), 0);

// Two models are asked the same, and one goes on.
await page.getByRole("button", { name: "Compare with a second model" }).click();
await page.getByLabel("Model", { exact: true }).selectOption("smollm2:latest");
await page.getByLabel("Second model", { exact: true }).selectOption("twin:latest");
const both = await send(JSON.stringify({ says: "as one ", tokens: 20, every_us: 20_000, first_ms: 500 }), 2);
assert.deepEqual(both.map(({ model }) => model).sort(), ["smollm2:latest", "twin:latest"]);
const sides = page.getByRole("group", { name: "Two models side by side" });
const twin = sides.getByRole("article", { name: "twin:latest" });
await twin.getByText("as one").waitFor();
await accessible(page, "two models side by side");
await twin.getByRole("button", { name: "Go on with this one" }).click();
await page.getByLabel("Second model", { exact: true }).waitFor({ state: "detached" });
const next = await send(JSON.stringify({ says: "and so on", every_us: 20_000, first_ms: 500 }));
await sides.waitFor({ state: "detached" });
assert.equal(next.model, "twin:latest");
assert.equal(next.messages.filter(({ role }) => role === "assistant").length, 2, "the other side is left out");

watched.check();
await browser.close();
