// A phone on a slow network: everything comes, says that it waits while it does, and is done by touch.
import { accessible, assert, open, signIn } from "./harness.mjs";

const { browser, page, watched } = await open({ phone: true });
const line = await browser.newCDPSession(page);
await line.send("Network.enable");
await line.send("Network.setCacheDisabled", { cacheDisabled: true });
const rate = 50_000;
await line.send("Network.emulateNetworkConditions", {
  offline: false,
  latency: 400,
  downloadThroughput: rate,
  uploadThroughput: rate,
});
const within = async (where) => {
  const [width, most] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(width <= most, `${where} is ${width} wide on ${most}`);
};

await signIn(page, "ada", "a longer word than most");
await page.getByRole("heading", { name: "What would you like to know?" }).waitFor();
await within("an empty chat");

// An answer comes word by word, after a wait that is told.
const message = page.getByRole("textbox", { name: "Message" });
await message.fill(JSON.stringify({ says: "one word after another, ", tokens: 60, every_us: 50_000, first_ms: 3000 }));
await page.getByRole("button", { name: "Send" }).tap();
await page.getByText(/^(Waiting for the model|Loading smollm2 into memory)…$/).waitFor();
await page.getByRole("button", { name: "Stop" }).waitFor();
await page.getByText("one word after another").last().waitFor();
await page.getByRole("button", { name: "Send" }).waitFor();
await within("an answer");
await accessible(page, "an answer on a phone");

// The list of conversations, and the menu, come and go by touch.
const list = page.getByRole("complementary", { name: "Conversations" });
await page.getByRole("button", { name: "Conversations" }).tap();
await list.getByRole("link").first().waitFor();
await within("the list");
await page.touchscreen.tap(370, 700);
await list.waitFor({ state: "hidden" });
const menu = page.getByRole("navigation", { name: "Pages" });
await page.getByRole("button", { name: "Menu" }).tap();
await menu.waitFor();
await within("the menu");
await page.touchscreen.tap(370, 700);
await menu.waitFor({ state: "hidden" });
await page.getByRole("button", { name: "Menu" }).tap();
await menu.getByRole("link", { name: "Models" }).tap();
// Its code is on the way.
await page.locator("main [aria-busy=true], main h1").first().waitFor({ state: "attached" });
await menu.waitFor({ state: "hidden" });
await page.getByRole("heading", { level: 1, name: "Models" }).waitFor();
await page.getByRole("link", { name: "smollm2:latest" }).waitFor();
await within("the models");

watched.check();
await browser.close();
