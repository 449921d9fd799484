// What was done on the box, and what the daemon says: two tabs, each filtered, live, and to be taken along.
import { Page } from "../../parts/page";
import { Tabs, tabOf } from "../../parts/tabs";
import { words } from "../../words";
import { Audit } from "./audit";
import { Logs } from "./logs";
import "./records.css";

const TABS = ["audit", "logs"] as const;

export default function Records() {
  const tab = tabOf(TABS);
  return (
    <Page title={words.shell.pages.records}>
      <Tabs
        label={words.records.parts}
        current={tab}
        tabs={TABS.map((name) => ({ name, text: words.records.tabs[name] }))}
      />
      {tab === "audit" ? <Audit /> : <Logs />}
    </Page>
  );
}
