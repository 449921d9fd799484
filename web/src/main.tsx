// Begins: the language, the box, then the page.
import { effect } from "@preact/signals";
import { render } from "preact";
import "./styles/tokens.css";
import "./styles/base.css";
import { meet } from "./api/box";
import { epoch, lost } from "./api/client";
import { App } from "./app";
import { setTheme, theme } from "./theme";
import { chosen, speak, UNSPOKEN } from "./words";

setTheme(theme());
// The page that most come for need not wait until the box has said who it is.
if (location.pathname === "/" || /^\/chat(\/|$)/.test(location.pathname))
  void import("./pages/chat").catch(() => undefined);
const page = document.getElementById("page")!;
try {
  // Both are needed and neither waits for the other; a box that does not answer is looked for by the page.
  await Promise.all([speak(chosen()), meet().catch(() => undefined)]);
  render(<App />, page);
} catch {
  // Without words there is no page: it begins anew once the box is back.
  page.textContent = UNSPOKEN;
  const now = epoch.peek();
  lost();
  effect(() => {
    if (epoch.value !== now) location.reload();
  });
}
