// Begins: the language, the box, then the page.
import { render } from "preact";
import "./styles/tokens.css";
import "./styles/base.css";
import { meet } from "./api/box";
import { App } from "./app";
import { setTheme, theme } from "./theme";
import { chosen, speak } from "./words";

setTheme(theme());
// The page that most come for need not wait until the box has said who it is.
if (location.pathname === "/" || /^\/chat(\/|$)/.test(location.pathname))
  void import("./pages/chat").catch(() => undefined);
// Both are needed and neither waits for the other; a box that does not answer is looked for by the page.
await Promise.all([speak(chosen()), meet().catch(() => undefined)]);
render(<App />, document.getElementById("page")!);
