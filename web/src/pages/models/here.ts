// What the box has and does with its models, asked for again as long as the page is looked at: nobody has to load it anew.
import { useEffect, useState } from "preact/hooks";
import { may } from "../../api/box";
import { ask, epoch, reachable } from "../../api/client";
import { listen } from "../../api/events";
import { ACTIVITY, LOADED, MODELS, fitPath, type Activity, type Fit, type Loaded, type Model } from "../../api/models";
import { PULL_EVENTS, type Pull, type Pulls } from "../../api/pulls";
import { useAsked, type Asked } from "../../parts/asked";

/** Milliseconds between two looks at what is in memory. */
const LOOKS = 4000;

export interface Here {
  models: Asked<{ models: Model[] }>;
  loaded: Loaded[];
  activity: Activity[];
  /** Asks for all of it. */
  again: () => void;
}

export function useHere(): Here {
  const models = useAsked<{ models: Model[] }>(MODELS);
  const loaded = useAsked<{ models: Loaded[] }>(LOADED);
  const activity = useAsked<{ models: Activity[] }>(ACTIVITY);
  useEvery(LOOKS, () => {
    loaded.again();
    activity.again();
  });
  return {
    models,
    loaded: loaded.value?.models ?? [],
    activity: activity.value?.models ?? [],
    again: () => [models, loaded, activity].forEach((asked) => asked.again()),
  };
}

function useEvery(milliseconds: number, act: () => void): void {
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.visibilityState === "visible" && reachable.peek()) act();
    }, milliseconds);
    return () => clearInterval(timer);
  }, []);
}

/** What each would take, or why it cannot be had; one is asked for after the other, and all anew when others are in memory. */
export function useFits(models: Model[], loaded: Loaded[]): Map<string, Fit | Error> {
  const [fits, setFits] = useState(new Map<string, Fit | Error>());
  const names = models.map((model) => model.name).join(" ");
  const current = `${names} / ${loaded.map(({ name, size }) => `${name} ${size}`).join(" ")} / ${epoch.value}`;
  useEffect(() => {
    const gone = new AbortController();
    const askAll = async (): Promise<void> => {
      for (const { name } of models) {
        const fit = await ask<Fit>("GET", fitPath(name), undefined, gone.signal).catch(
          (error: unknown) => error as Error,
        );
        if (gone.signal.aborted) return;
        setFits((known) => new Map(known).set(name, fit));
      }
    };
    void askAll();
    return () => gone.abort();
  }, [current]);
  return fits;
}

/** What is on its way; nothing for who may not have anything fetched. */
export function usePulls(arrived: (pull: Pull) => void): Pull[] {
  const [pulls, setPulls] = useState<Pull[]>([]);
  useEffect(() => {
    if (!may("models.write")) return;
    let before: Pull[] | undefined;
    return listen<Pulls>(PULL_EVENTS, "pulls", ({ pulls }) => {
      const was = (id: string) => before?.find((pull) => pull.id === id);
      pulls.filter((pull) => pull.state === "done" && before && was(pull.id)?.state !== "done").forEach(arrived);
      before = pulls;
      setPulls(pulls);
    });
  }, []);
  return pulls;
}
