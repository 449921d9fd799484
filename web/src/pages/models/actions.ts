// What is done with a model, and what the reader is told of it.
import { load, removeModel, unload, type Capability, type Loading } from "../../api/models";
import { ask } from "../../api/client";
import { PULLS, dropPull, type Pulls } from "../../api/pulls";
import { confirm } from "../../parts/confirm";
import { say, trying } from "../../parts/notice";
import { bytes } from "../../format";
import { words } from "../../words";

export async function loadIt(loading: Loading, capabilities: Capability[]): Promise<boolean> {
  const done = await trying(() => load(loading, capabilities));
  if (done) say(words.models.loaded(loading.model));
  return done;
}

export async function unloadIt(model: string): Promise<boolean> {
  const done = await trying(() => unload(model));
  if (done) say(words.models.unloaded(model));
  return done;
}

/** Strikes what was fetched from the list of what is on its way: it is not here any more. */
async function forget(model: string): Promise<void> {
  const { pulls } = await ask<Pulls>("GET", PULLS).catch(() => ({ pulls: [] }));
  const tagged = (name: string): string => (name.includes(":") ? name : `${name}:latest`);
  const gone = pulls.filter((pull) => pull.state === "done" && tagged(pull.model) === tagged(model));
  await Promise.all(gone.map((pull) => dropPull(pull.id, "keep").catch(() => undefined)));
}

/** Asks, and removes it. */
export function removeIt(model: string, size: number, done: () => void): void {
  const said = words.models;
  confirm({
    title: said.removeTitle(model),
    text: said.removeText(bytes(size)),
    act: said.remove,
    danger: true,
    does: async () => {
      await removeModel(model);
      await forget(model);
      say(said.removed(model));
      done();
    },
  });
}
