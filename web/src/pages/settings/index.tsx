import { Page } from "../../parts/page";
import { words } from "../../words";

export default function Settings() {
  return <Page title={words.shell.pages.settings}>{null}</Page>;
}
