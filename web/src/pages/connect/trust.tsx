// The box's root, which a program needs to know that it talks to the box.
import { Icon } from "../../parts/icon";
import { words } from "../../words";

export function Trust({ root }: { root: string }) {
  const said = words.connect;
  return (
    <section class="card stack">
      <h2>{said.trust}</h2>
      <p class="small">{said.trustText}</p>
      <div class="row">
        <a class="button plain" href="/trust/root.pem" download={root}>
          <Icon name="download" />
          {said.trustSave(root)}
        </a>
        <a class="small" href="/trust">
          {said.trustSystem}
        </a>
      </div>
    </section>
  );
}
