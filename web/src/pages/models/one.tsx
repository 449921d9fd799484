// One model: what it is, what it would take, keeping it ready, what it says of itself, and what can be made of it.
import { useState } from "preact/hooks";
import { may } from "../../api/box";
import type { Model, Shown } from "../../api/models";
import { bytes, moment, number } from "../../format";
import { Button } from "../../parts/button";
import { Loaded, Page } from "../../parts/page";
import { Link, go } from "../../place";
import { words } from "../../words";
import { loadIt, removeIt, unloadIt } from "./actions";
import { Copy } from "./copy";
import { useHere, type Here } from "./here";
import { Capabilities, InMemory } from "./listed";
import { Make } from "./make";
import { Ready } from "./ready";
import { Room } from "./room";
import { Texts } from "./texts";
import { useShown } from "./shown";
import "./models.css";

export function One({ name }: { name: string }) {
  const here = useHere();
  const shown = useShown(name);
  const [context, setContext] = useState<number | undefined>();
  const listed = here.models.value?.models.find((model) => model.name === name || model.name === `${name}:latest`);
  return (
    <Page
      title={name}
      actions={shown.value && listed && <Acts model={listed} shown={shown.value} here={here} context={context} />}
    >
      <p class="above">
        <Link to="/models">← {words.models.all}</Link>
      </p>
      <Loaded of={shown}>
        {(value) => (
          <>
            <Facts shown={value} listed={listed} here={here} />
            <Room name={name} shown={value} context={context} onContext={setContext} />
            {listed && may("infer") && may("models.write") && <Ready model={listed} here={here} context={context} />}
            <Texts shown={value} />
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Facts({ shown, listed, here }: { shown: Shown; listed: Model | undefined; here: Here }) {
  const said = words.models;
  const { details } = shown;
  const loaded = here.loaded.find((each) => each.name === listed?.name);
  const activity = here.activity.find((each) => each.name === listed?.name);
  const facts: [string, string | undefined][] = [
    [said.size, listed && bytes(listed.size)],
    [said.parameters, details.parameter_size],
    [said.quantization, details.quantization_level],
    [said.trained, details.context_length ? said.tokens(number(details.context_length)) : undefined],
    [
      said.vectors,
      shown.capabilities.includes("embedding") && details.embedding_length
        ? number(details.embedding_length)
        : undefined,
    ],
    [said.family, details.family],
    [said.format, details.format],
    [said.changed, moment(shown.modified_at)],
    [said.digest, listed?.digest.slice(0, 12)],
  ];
  return (
    <section class="card stack" aria-label={said.what}>
      <div class="row">
        <Capabilities of={shown} />
        {(loaded || activity) && <InMemory loaded={loaded} activity={activity} fit={undefined} />}
      </div>
      <dl class="about-model">
        {facts.map(
          ([name, value]) =>
            value && (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ),
        )}
      </dl>
    </section>
  );
}

interface ActsProps {
  model: Model;
  shown: Shown;
  here: Here;
  context: number | undefined;
}

function Acts({ model, shown, here, context }: ActsProps) {
  const said = words.models;
  const [open, setOpen] = useState<"make" | "copy">();
  const [busy, setBusy] = useState(false);
  const close = (): void => setOpen(undefined);
  const isLoaded = here.loaded.some((each) => each.name === model.name);
  const turn = async (): Promise<void> => {
    setBusy(true);
    await (isLoaded
      ? unloadIt(model.name)
      : loadIt({ model: model.name, ...(context && { options: { num_ctx: context } }) }, model.capabilities));
    setBusy(false);
    here.again();
  };
  return (
    <>
      {may("infer") && model.capabilities.includes("completion") && (
        <Link class="button plain" to="/">
          {said.chat}
        </Link>
      )}
      {may("infer") && may("models.write") && !(model.capabilities.includes("rerank") && !isLoaded) && (
        <Button kind={isLoaded ? "plain" : "main"} busy={busy} onClick={() => void turn()}>
          {isLoaded ? said.unload : said.loadNow}
        </Button>
      )}
      {may("models.write") && (
        <>
          <Button icon="plus" onClick={() => setOpen("make")}>
            {said.make}
          </Button>
          <Button icon="copy" onClick={() => setOpen("copy")}>
            {said.copy}
          </Button>
          <Button
            kind="danger"
            icon="trash"
            onClick={() => removeIt(model.name, model.size, () => go("/models", true))}
          >
            {said.remove}
          </Button>
        </>
      )}
      {open === "make" && <Make from={model.name} shown={shown} onClose={close} />}
      {open === "copy" && <Copy from={model.name} onClose={close} />}
    </>
  );
}
