import { Page } from "../../parts/page";
import { words } from "../../words";

export default function Connect() {
  return <Page title={words.shell.pages.connect}>{null}</Page>;
}
