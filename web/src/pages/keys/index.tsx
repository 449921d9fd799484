import { Page } from "../../parts/page";
import { words } from "../../words";

export default function Keys() {
  return <Page title={words.shell.pages.keys}>{null}</Page>;
}
