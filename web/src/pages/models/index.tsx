// The models of the box: all of them, or one that the address names.
import { place } from "../../place";
import { List } from "./list";
import { One } from "./one";

export default function Models() {
  const shown = place.value.query.get("show");
  return shown ? <One key={shown} name={shown} /> : <List />;
}
