// Light or dark: as the device has it, or as was chosen here.
export type Theme = "automatic" | "light" | "dark";

const KEPT = "hob.theme";

export function theme(): Theme {
  const kept = localStorage.getItem(KEPT);
  return kept === "light" || kept === "dark" ? kept : "automatic";
}

export function setTheme(theme: Theme): void {
  if (theme === "automatic") {
    localStorage.removeItem(KEPT);
    delete document.documentElement.dataset["theme"];
  } else {
    localStorage.setItem(KEPT, theme);
    document.documentElement.dataset["theme"] = theme;
  }
}
