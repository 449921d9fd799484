// The three pictures of the README: a conversation, what goes on, and a phone.
import { open, picture, signIn, url } from "./harness.mjs";

const PASSWORD = "a longer word than most";

const { browser, page, watched } = await open();
await signIn(page, "ada", PASSWORD);
const message = page.getByRole("textbox", { name: "Message" });
const say = async (text) => {
  await message.fill(text);
  await message.press("Enter");
  await page.getByRole("button", { name: "Stop" }).waitFor();
  await page.getByRole("button", { name: "Send" }).waitFor();
};
for (const text of ["What can I cook with leeks and potatoes?", "Name the planets."]) {
  await say(text);
  await page.getByRole("button", { name: "New chat" }).click();
}
await say("Write a Python function that reverses a list, and an example.");
await page.getByText(/tokens\/s/).waitFor();
await page.mouse.move(0, 0);
await picture(page, "readme-chat");

// Somebody asks while the page is looked at.
const other = await browser.newPage();
await other.goto(url);
await other.getByRole("textbox", { name: "Message" }).fill("List a thousand animals.");
await other.getByRole("textbox", { name: "Message" }).press("Enter");
await other.getByRole("button", { name: "Stop" }).waitFor();
await page.bringToFront();
await page.goto(`${url}/now`);
await page.getByRole("button", { name: /Stop/ }).first().waitFor();
await page.waitForFunction(() => !document.querySelector("[aria-busy=true]"));
await picture(page, "readme-now");
watched.check();
await browser.close();

const phone = await open({ scheme: "dark", language: "zh-CN", phone: true });
await phone.page.goto(url);
await phone.page.getByLabel("您的名字").fill("ada");
await phone.page.getByLabel("密码").fill(PASSWORD);
await phone.page.getByRole("button", { name: "登录" }).click();
await phone.page.locator("#content").waitFor();
await phone.page.goto(`${url}/models?show=smollm2:latest`);
await phone.page.getByRole("heading", { level: 1 }).waitFor();
await phone.page.waitForFunction(() => document.querySelector(".parts .bar"));
await picture(phone.page, "readme-phone");
await phone.browser.close();
