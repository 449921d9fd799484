import { Page } from "../../parts/page";
import { words } from "../../words";

export default function Network() {
  return <Page title={words.shell.pages.network}>{null}</Page>;
}
