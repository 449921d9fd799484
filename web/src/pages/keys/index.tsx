// Who may use the box: keys, what was used by each, the people of the house, and the browsers they are signed in with.
import { may } from "../../api/box";
import { Page } from "../../parts/page";
import { Tabs, tabOf } from "../../parts/tabs";
import { words } from "../../words";
import { Keys } from "./keys";
import { OwnAccount } from "./password";
import { People } from "./people";
import { Sessions } from "./sessions";
import { Use } from "./use";
import "./keys.css";

const TABS = ["keys", "use", "people"] as const;

export default function KeysPage() {
  // Whoever is no owner has themselves to look after.
  if (!may("admin")) {
    return (
      <Page title={words.shell.account}>
        <OwnAccount />
      </Page>
    );
  }
  const tab = tabOf(TABS);
  return (
    <Page title={words.shell.pages.keys}>
      <Tabs label={words.keys.parts} current={tab} tabs={TABS.map((name) => ({ name, text: words.keys.tabs[name] }))} />
      {tab === "keys" && <Keys />}
      {tab === "use" && <Use />}
      {tab === "people" && (
        <>
          <People />
          <OwnAccount />
          <Sessions />
        </>
      )}
    </Page>
  );
}
