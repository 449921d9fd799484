import { Page } from "../../parts/page";
import { words } from "../../words";

export default function Now() {
  return <Page title={words.shell.pages.now}>{null}</Page>;
}
