// Making the box new. Its name is typed, so that nobody does this to another one, or in passing.
import { useState } from "preact/hooks";
import { box } from "../../api/box";
import { reset } from "../../api/upkeep";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { ChoiceField, TextField } from "../../parts/field";
import { FormError, OwnPassword, confirmation, useForm } from "../../parts/form";
import { words } from "../../words";

type Models = "keep" | "remove";

export function Reset() {
  const said = words.settings;
  const [asked, setAsked] = useState<"asked" | "done">();
  return (
    <section class="card stack" aria-labelledby="reset">
      <h2 id="reset">{said.reset}</h2>
      <p>{said.resetText}</p>
      <div>
        <Button kind="danger" onClick={() => setAsked("asked")}>
          {said.reset}
        </Button>
      </div>
      {asked === "asked" && <Ask onClose={() => setAsked(undefined)} onDone={() => setAsked("done")} />}
      {asked === "done" && <Done onClose={() => setAsked(undefined)} />}
    </section>
  );
}

function Ask({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const said = words.settings;
  const name = box.value?.name ?? "Hob";
  const [models, setModels] = useState<Models>("keep");
  const [typed, setTyped] = useState("");
  const [own, setOwn] = useState("");
  const form = useForm("confirm");
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (await form.send(() => reset({ models, ...confirmation(own) }))) onDone();
  };
  return (
    <Dialog title={said.resetTitle} onClose={onClose}>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        <p>{said.resetText}</p>
        <ChoiceField
          label={said.resetModels}
          value={models}
          onValue={setModels}
          options={[
            { value: "keep", text: said.resetKeep },
            { value: "remove", text: said.resetRemove },
          ]}
        />
        <TextField
          label={said.typeName(name)}
          required
          autocomplete="off"
          spellcheck={false}
          value={typed}
          onValue={setTyped}
        />
        <OwnPassword form={form} value={own} onValue={setOwn} />
        <FormError of={form} />
        <div class="ends">
          <Button onClick={onClose}>{words.shell.cancel}</Button>
          <Button type="submit" kind="danger" busy={form.busy} disabled={typed.trim() !== name}>
            {said.resetAct}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** The box is another by then, so this page cannot go on by itself. */
function Done({ onClose }: { onClose: () => void }) {
  const said = words.settings;
  return (
    <Dialog title={said.resetDone} onClose={onClose}>
      <p>{said.resetDoneText}</p>
      <p>
        <a href={location.origin}>{location.origin}</a>
      </p>
    </Dialog>
  );
}
