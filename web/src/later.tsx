// Parts and pages that are fetched when they are first shown.
import { effect, signal } from "@preact/signals";
import type { ComponentType } from "preact";
import { epoch, open } from "./api/client";
import { words } from "./words";

/** A component of which the code comes when it is first needed. */
export function later<P extends object>(load: () => Promise<{ default: ComponentType<P> }>): ComponentType<P> {
  const loaded = signal<ComponentType<P> | undefined>(undefined);
  const failed = signal<"away" | "outdated" | undefined>(undefined);
  let asked = false;
  const fetch = (): void => {
    asked = true;
    failed.value = undefined;
    load().then(
      (module) => (loaded.value = module.default),
      async () => {
        const now = epoch.peek();
        failed.value = (await answers()) ? "outdated" : "away";
        if (failed.value === "away") whenBack(now, fetch);
      },
    );
  };
  return function Later(props: P) {
    if (!asked) fetch();
    const Loaded = loaded.value;
    if (Loaded) return <Loaded {...props} />;
    if (failed.value === "away") return <p role="alert">{words.shell.unreachable}</p>;
    // After an update of the box the old page's files are gone.
    if (failed.value === "outdated") {
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

/** Whether the box answers; if it does not, it is looked for from now on. */
async function answers(): Promise<boolean> {
  try {
    await open("GET", "/healthz");
    return true;
  } catch {
    return false;
  }
}

/** Does it once the box is there again. */
function whenBack(now: number, act: () => void): void {
  const dispose = effect(() => {
    if (epoch.value === now) return;
    queueMicrotask(() => {
      dispose();
      styleAnew();
      act();
    });
  });
}

/** Style sheets that did not come are asked for once more: who loads modules takes them for there. */
function styleAnew(): void {
  for (const link of document.querySelectorAll<HTMLLinkElement>('link[rel="stylesheet"]'))
    if (!link.sheet) link.replaceWith(link.cloneNode());
}
