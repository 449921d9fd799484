// From signing in to an answer without a mouse: whatever has the focus is seen to have it, and what closes gives it back.
import { answering, assert, open, url } from "./harness.mjs";

const { browser, page, watched } = await open();
/** What has the focus: what it is called, and whether one sees that it is there. */
const focus = () =>
  page.evaluate(() => {
    const here = document.activeElement;
    const { outlineStyle, outlineWidth } = getComputedStyle(here);
    const outlined = outlineStyle !== "none" && parseFloat(outlineWidth) > 0;
    const text = here.matches("textarea, input:not([type=checkbox], [type=radio])");
    // What is gone to and is no control, as a heading, is where one reads on.
    const control = here.matches("a[href], button, input, select, textarea, summary, [tabindex='0']");
    return {
      name: here.getAttribute("aria-label") ?? here.labels?.[0]?.textContent ?? here.textContent.trim().slice(0, 80),
      at: here.id || here.tagName,
      seen: outlined || text || !control,
    };
  });
const press = async (key) => {
  await page.keyboard.press(key);
  const now = await focus();
  assert.ok(now.seen, `after ${key} nobody sees the focus on ${now.at} “${now.name}”`);
  return now;
};
/** Goes on by the tabulator until it is there. */
const to = async (name, key = "Tab") => {
  const passed = [];
  for (let step = 0; step < 80; step += 1) {
    const now = await press(key);
    if (name.test(now.name)) return now;
    passed.push(now.name);
  }
  assert.fail(`no way by ${key} to ${name}: ${passed.join(" | ")}`);
};
/** The focus comes to be there. */
const given = (name) =>
  page.waitForFunction(
    ([source, flags]) => {
      const here = document.activeElement;
      return new RegExp(source, flags).test(here?.getAttribute("aria-label") ?? here?.textContent ?? "");
    },
    [name.source, name.flags],
  );

// Signing in.
await page.goto(url);
await page.getByRole("heading", { level: 1, name: /^Sign in to/ }).waitFor();
await to(/^Your name/);
await page.keyboard.type("ada");
await to(/^Password/);
await page.keyboard.type("a longer word than most");
await press("Enter");

// Past the menu, and by the menu to another page and back.
const message = page.getByRole("textbox", { name: "Message" });
await message.waitFor();
await given(/^Message$/);
await to(/^Skip to the content$/, "Shift+Tab");
await page.keyboard.press("Enter");
assert.equal((await focus()).at, "content");
await to(/^Skip to the content$/, "Shift+Tab");
await to(/^Models$/);
await press("Enter");
await page.getByRole("heading", { level: 1, name: "Models" }).waitFor();
await to(/^Chat$/, "Shift+Tab");
await press("Enter");
await message.waitFor();
await given(/^Message$/);

// Asked, and stopped.
await page.keyboard.type("List a thousand animals.");
await press("Enter");
await answering(page);
await press("Escape");
await page.getByText("Stopped.").waitFor();
await page.getByRole("button", { name: "Send" }).waitFor();

// A menu takes the focus, and gives it back; so does what is opened by it.
const actions = /^Actions for .*thousand animals/;
await page.getByRole("button", { name: actions }).waitFor();
await to(actions, "Shift+Tab");
await page.keyboard.press("Enter");
await given(/^Rename$/);
assert.match((await press("ArrowDown")).name, /^Export as Markdown$/);
assert.match((await press("ArrowUp")).name, /^Rename$/);
await press("Escape");
await given(actions);
await page.keyboard.press("Enter");
await given(/^Rename$/);
await press("Enter");
await page.getByRole("dialog", { name: "Rename" }).waitFor();
await to(/^Title/);
await press("Escape");
await page.getByRole("dialog").waitFor({ state: "detached" });
await given(actions);

// So does a dialog of a button's own.
await to(/^Instructions and parameters$/);
await press("Enter");
await page.getByRole("dialog").waitFor();
await press("Tab");
await press("Escape");
await page.getByRole("dialog").waitFor({ state: "detached" });
await given(/^Instructions and parameters$/);

watched.check();
await browser.close();
