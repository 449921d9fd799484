// All that an owner can decide, each with who decided it; and what keeps a box for years.
import { SETTINGS, type Settings } from "../../api/settings";
import { useAsked } from "../../parts/asked";
import { Loaded, Page } from "../../parts/page";
import { Tabs, tabOf } from "../../parts/tabs";
import { words } from "../../words";
import { Editor } from "./editor";
import { RestartButton, Restarting } from "./restart";
import { Upkeep } from "./upkeep";
import "./settings.css";

const TABS = ["settings", "upkeep"] as const;

export default function SettingsPage() {
  const tab = tabOf(TABS);
  const asked = useAsked<Settings>(SETTINGS);
  const drain = asked.value?.settings.find((setting) => setting.name === "limits.drain")?.value ?? "30s";
  return (
    <Page title={words.shell.pages.settings} actions={<RestartButton drain={drain} />}>
      <Tabs
        label={words.settings.parts}
        current={tab}
        tabs={TABS.map((name) => ({ name, text: words.settings.tabs[name] }))}
      />
      {tab === "settings" ? (
        <Loaded of={asked}>{({ settings }) => <Editor settings={settings} drain={drain} onKept={asked.set} />}</Loaded>
      ) : (
        <Upkeep />
      )}
      <Restarting />
    </Page>
  );
}
