// Parts and pages that are fetched when they are first shown.
import { signal } from "@preact/signals";
import type { ComponentType } from "preact";
import { words } from "./words";

/** A component of which the code comes when it is first needed. */
export function later<P extends object>(load: () => Promise<{ default: ComponentType<P> }>): ComponentType<P> {
  const loaded = signal<ComponentType<P> | undefined>(undefined);
  const failed = signal(false);
  let asked = false;
  const fetch = (): void => {
    asked = true;
    failed.value = false;
    load().then(
      (module) => (loaded.value = module.default),
      () => (failed.value = true),
    );
  };
  return function Later(props: P) {
    if (!asked) fetch();
    const Loaded = loaded.value;
    if (Loaded) return <Loaded {...props} />;
    // After an update of the box the old page's files are gone.
    if (failed.value) {
      return (
        <p role="alert">
          {words.shell.outdated}{" "}
          <button type="button" onClick={() => location.reload()}>
            {words.shell.reload}
          </button>
        </p>
      );
    }
    return <p class="quiet" aria-busy="true" />;
  };
}
