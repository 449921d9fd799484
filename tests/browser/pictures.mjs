// The three pictures of the README: a conversation, what the box does now, and its models on a phone. `scripts/pictures` puts them
// where the README shows them.
import { answering, ask, open, picture, signIn, url } from "./harness.mjs";

const desk = await open();
await signIn(desk.page, "ada", "a longer word than most");
const { page } = desk;
const message = page.getByRole("textbox", { name: "Message" });
await message.fill(
  "Write a Python function that says whether a number is prime, in a code block. Then list three things to test.",
);
await message.press("Enter");
await page.getByText(/tokens\/s/).waitFor();
await picture(page, "readme-chat");

// A request that runs for as long as the picture takes, and minutes of which there is a chart.
await message.fill("List a thousand animals.");
await message.press("Enter");
await answering(page);
const now = await desk.browser.newPage();
await now.goto(`${url}/now`);
await now.getByRole("table", { name: "Requests" }).getByText("ada").first().waitFor();
await now
  .getByRole("table", { name: "Requests" })
  .getByText(/\d tokens\/s/)
  .waitFor();
await now.getByRole("group", { name: "Memory" }).getByText("KV caches").waitFor();
await picture(now, "readme-now");
await desk.browser.close();

await ask("more models");
const hand = await open({ scheme: "dark", language: "zh-CN", phone: true });
await hand.page.goto(url);
await hand.page.getByLabel("您的名字").fill("ada");
await hand.page.getByLabel("密码").fill("a longer word than most");
await hand.page.getByRole("button", { name: "登录" }).click();
await hand.page.locator("#content").waitFor();
await hand.page.goto(`${url}/models`);
await hand.page.getByRole("link", { name: "storyteller:latest" }).waitFor();
await hand.page.waitForFunction(() => !document.querySelector("[aria-busy=true]"));
await hand.page.getByText("…", { exact: true }).first().waitFor({ state: "detached" });
await picture(hand.page, "readme-phone");
await hand.browser.close();
