// A long answer in one tab, as the owner sees it on another: whose it is, how fast, what it takes; and the owner ends it.
import { accessible, answering, assert, open, signIn, url } from "./harness.mjs";

const { browser, page, watched } = await open();
await signIn(page, "ada", "a longer word than most");
const message = page.getByRole("textbox", { name: "Message" });
await message.fill(JSON.stringify({ says: "word after word ", tokens: 100_000, every_us: 20_000 }));
await message.press("Enter");
await answering(page);

const now = await browser.newPage();
await now.goto(`${url}/now`);
const requests = now.getByRole("table", { name: "Requests" });
const row = requests.getByRole("row").filter({ hasText: "ada" });
await row.waitFor();
for (const told of [/smollm2/, /Chat/, /Answers/, /\d tokens\/s/]) await row.getByText(told).first().waitFor();
// It goes on before one's eyes.
const before = await row.innerText();
await now.waitForFunction((before) => {
  const rows = [...document.querySelectorAll("tr")].filter((row) => row.innerText.includes("ada"));
  return rows.length > 0 && rows[0].innerText !== before;
}, before);
const models = now.getByRole("table", { name: "Models in memory" });
await models.getByRole("row").filter({ hasText: "smollm2" }).getByText("Loaded").waitFor();
await now.getByText(/^Models take .* of the .* that they may/).waitFor();
await now.getByRole("group", { name: "Memory" }).getByText("Free").waitFor();
await accessible(now, "a request that runs");

await row.getByRole("button", { name: /^Stop/ }).click();
await now
  .getByRole("dialog")
  .getByText(/^ada is told/)
  .waitFor();
await now.getByRole("dialog").getByRole("button", { name: "Stop" }).click();
await now.getByText("Nobody asks for anything.").waitFor();
await page.bringToFront();
await page
  .getByText(/Stopped from the page Now/)
  .first()
  .waitFor();
await page.getByRole("button", { name: "Send" }).waitFor();
assert.match(await page.getByRole("log").innerText(), /word after word/, "what it had said stays");

watched.check();
await browser.close();
