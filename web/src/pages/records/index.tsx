import { Page } from "../../parts/page";
import { words } from "../../words";

export default function Records() {
  return <Page title={words.shell.pages.records}>{null}</Page>;
}
