import { Page } from "../../parts/page";
import { words } from "../../words";

export default function Chat() {
  return <Page title={words.shell.pages.chat}>{null}</Page>;
}
