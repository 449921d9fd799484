// Colours code, in the languages that are common. Fetched when the first block of code is shown.
import type { RootContent } from "hast";
import { common, createLowlight } from "lowlight";
import type { ComponentChildren } from "preact";

const lowlight = createLowlight(common);

/** The code as nodes; nothing if the language is not known. */
export function coloured(language: string, text: string): ComponentChildren {
  const name = language.toLowerCase();
  return lowlight.registered(name) ? lowlight.highlight(name, text).children.map(node) : undefined;
}

function node(from: RootContent): ComponentChildren {
  if (from.type === "text") return from.value;
  if (from.type !== "element") return null;
  const names = from.properties["className"];
  return <span class={Array.isArray(names) ? names.join(" ") : ""}>{from.children.map(node)}</span>;
}
