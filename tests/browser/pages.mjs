// Every page as it is for its owner, light and dark, in both languages, on a desk and in a hand: nothing serious for axe, nothing
// that sticks out at the side, nothing asked of anybody else. The pictures are looked at by people.
import { accessible, assert, open, picture, signIn, url } from "./harness.mjs";

const PAGES = [
  "/",
  "/models",
  "/models?show=smollm2:latest",
  "/now",
  "/keys",
  "/network",
  "/settings",
  "/connect",
  "/records",
];
const name = (path) => path.replace(/\?.*/, "-one").replace("/", "") || "chat";

const looks = [
  { scheme: "light", language: "en-GB", phone: false },
  { scheme: "dark", language: "en-GB", phone: false },
  { scheme: "light", language: "zh-CN", phone: true },
  { scheme: "dark", language: "en-GB", phone: true },
];
for (const look of looks) {
  const { browser, page, watched } = await open(look);
  await enter(page, look.language);
  for (const path of PAGES) {
    await page.goto(url + path);
    await page.getByRole("heading", { level: 1 }).waitFor({ state: "attached" });
    await settled(page);
    const where = `${path}, ${look.scheme}, ${look.language}, ${look.phone ? "phone" : "desk"}`;
    await accessible(page, where);
    const width = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(width[0] <= width[1], `${where} is ${width[0]} wide on ${width[1]}`);
    assert.doesNotMatch(await page.locator("body").innerText(), /undefined|NaN|\[object|Invalid Date/, where);
    if (look.language === "zh-CN" && !path.includes("?"))
      assert.match(await page.locator("main h1").first().innerText(), /\p{Script=Han}/u, where);
    await picture(
      page,
      `${name(path)}-${look.phone ? "phone-" : ""}${look.scheme}${look.language === "zh-CN" ? "-zh" : ""}`,
    );
  }
  // The narrowest screen, or a larger one at twice the size.
  await page.setViewportSize({ width: 320, height: 640 });
  for (const path of PAGES) {
    await page.goto(url + path);
    await page.getByRole("heading", { level: 1 }).waitFor({ state: "attached" });
    await settled(page);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= 320, `${path} is ${width} wide on 320`);
  }
  watched.check();
  await browser.close();
}

async function enter(page, language) {
  if (language !== "zh-CN") return signIn(page, "ada", "a longer word than most");
  await page.goto(url);
  await page.getByLabel("您的名字").fill("ada");
  await page.getByLabel("密码").fill("a longer word than most");
  await page.getByRole("button", { name: "登录" }).click();
  await page.locator("#content").waitFor();
}

/** Nothing is loading any more. What goes on for ever, as the events of a page, is not waited for. */
async function settled(page) {
  await page.waitForFunction(() => !document.querySelector("[aria-busy=true]"));
  await page.evaluate(() =>
    document.fonts.ready.then(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))),
  );
}
