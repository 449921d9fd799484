// Every text that a person reads, in one folder a language: which one is chosen, and `words`, which is read wherever text is shown.
import type en from "./en";

/** All texts. English says which there are; the compiler holds the others to it. */
export type Words = typeof en;

export type Language = "en" | "zh";

/** What each language calls itself. */
export const LANGUAGES: Record<Language, string> = { en: "English", zh: "简体中文" };

/** What is said if the texts of no language came. */
export const UNSPOKEN =
  "The box does not answer just now. This page goes on by itself as soon as it is back. 设备暂时没有应答。恢复后本页会自动继续。";

/** The texts of the language that is chosen; set before anything is shown. */
export let words: Words;

/** The language that is chosen, as browsers name it. */
export let locale: string;

const KEPT = "hob.language";

/** What was chosen here before, else what the browser prefers. */
export function chosen(): Language {
  const kept = localStorage.getItem(KEPT);
  if (kept === "en" || kept === "zh") return kept;
  const preferred = navigator.languages.find((language) => /^(en|zh)\b/i.test(language));
  return preferred?.toLowerCase().startsWith("zh") ? "zh" : "en";
}

/** Fetches the texts of a language, and speaks it from then on. */
export async function speak(language: Language): Promise<void> {
  words = (await (language === "zh" ? import("./zh") : import("./en"))).default;
  locale = language === "zh" ? "zh-Hans-CN" : (navigator.languages.find((each) => each.startsWith("en")) ?? "en");
  document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
}

/** Remembers a language, and begins anew in it. */
export function choose(language: Language): void {
  localStorage.setItem(KEPT, language);
  location.reload();
}
