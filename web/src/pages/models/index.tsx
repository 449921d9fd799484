import { Page } from "../../parts/page";
import { words } from "../../words";

export default function Models() {
  return <Page title={words.shell.pages.models}>{null}</Page>;
}
