// All models, those on their way, and how to get one; where there is none, that comes first.
import { useState } from "preact/hooks";
import { may } from "../../api/box";
import type { Model } from "../../api/models";
import type { Pull } from "../../api/pulls";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { say } from "../../parts/notice";
import { Loaded, Page } from "../../parts/page";
import { go, place } from "../../place";
import { words } from "../../words";
import { Get, GetFirst } from "./get";
import { useHere, usePulls, type Here } from "./here";
import { Listed } from "./listed";
import { Pulls } from "./pulls";
import "./models.css";

export function List() {
  const said = words.models;
  const here = useHere();
  const arrived = (pull: Pull): void => {
    say(said.pullDone(pull.model));
    here.again();
  };
  const pulls = usePulls(arrived);
  const [getting, setGetting] = useState(place.value.query.has("get"));
  const close = (): void => {
    setGetting(false);
    if (place.peek().query.has("get")) go("/models", true);
  };
  const some = (here.models.value?.models.length ?? 0) > 0;
  const actions = some && may("models.write") && (
    <Button kind="main" icon="plus" onClick={() => setGetting(true)}>
      {said.get}
    </Button>
  );
  return (
    <Page title={words.shell.pages.models} actions={actions}>
      {pulls.length > 0 && <Pulls pulls={pulls} />}
      <Loaded of={here.models}>{({ models }) => <There models={models} here={here} pulls={pulls} />}</Loaded>
      {getting && some && (
        <Dialog title={said.get} wide onClose={close}>
          <Get models={here.models.value?.models ?? []} pulls={pulls} onBegun={close} />
        </Dialog>
      )}
    </Page>
  );
}

function There({ models, here, pulls }: { models: Model[]; here: Here; pulls: Pull[] }) {
  if (models.length > 0) return <Listed models={models} here={here} />;
  if (!may("models.write")) return <p>{words.models.noneHere}</p>;
  return <GetFirst pulls={pulls} />;
}
