// Another model from one that is there: its own name, system prompt and parameters over the same weights.
import { useState } from "preact/hooks";
import { create, type Making, type Shown, type Step } from "../../api/models";
import { percent } from "../../format";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { LongTextField, TextField } from "../../parts/field";
import { FormError, useForm } from "../../parts/form";
import { Marked } from "../../parts/marked";
import { Progress } from "../../parts/meter";
import { say } from "../../parts/notice";
import { go } from "../../place";
import { words } from "../../words";
import { WrongLine, parseParameters, type Parameters } from "./parameters";
import { pathOf } from "./paths";

interface MakeProps {
  from: string;
  shown: Shown;
  onClose: () => void;
}

export function Make({ from, shown, onClose }: MakeProps) {
  const said = words.models;
  const form = useForm("model", "name", "system", "parameters");
  const [name, setName] = useState("");
  const [system, setSystem] = useState(shown.system ?? "");
  const [written, setWritten] = useState("");
  const [wrongLine, setWrongLine] = useState<number>();
  const [step, setStep] = useState<Step>({});
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const parameters = read(written);
    setWrongLine(parameters instanceof WrongLine ? parameters.line : undefined);
    if (parameters instanceof WrongLine) return;
    const making: Making = { model: name.trim(), from, parameters };
    if (system !== (shown.system ?? "")) making.system = system;
    setStep({});
    if (!(await form.send(() => create(making, setStep)))) return;
    say(said.made(making.model));
    onClose();
    go(pathOf(making.model));
  };
  return (
    <Dialog title={said.makeTitle(from)} wide onClose={onClose}>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        <p class="small quiet">{said.makeText}</p>
        <TextField
          label={said.makeName}
          hint={<Marked text={said.makeNameHint} />}
          error={form.wrong("model") ?? form.wrong("name")}
          required
          mono
          autocomplete="off"
          spellcheck={false}
          value={name}
          onValue={setName}
        />
        <LongTextField
          label={said.makeSystem}
          hint={said.makeSystemHint}
          error={form.wrong("system")}
          rows={4}
          value={system}
          onValue={setSystem}
        />
        <LongTextField
          label={said.makeParameters}
          hint={<Marked text={said.makeParametersHint} />}
          error={wrongLine === undefined ? form.wrong("parameters") : said.makeWrong(wrongLine)}
          rows={3}
          mono
          spellcheck={false}
          value={written}
          onValue={setWritten}
        />
        <FormError of={form} />
        {form.busy && <Steps step={step} />}
        <div class="ends">
          <Button onClick={onClose}>{words.shell.cancel}</Button>
          <Button type="submit" kind="main" busy={form.busy}>
            {said.makeAct}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function read(written: string): Parameters | WrongLine {
  try {
    return parseParameters(written);
  } catch (error) {
    if (error instanceof WrongLine) return error;
    throw error;
  }
}

function Steps({ step }: { step: Step }) {
  const { total = 0, completed = 0, status = "" } = step;
  return (
    <Progress
      label={words.models.makeAct}
      value={completed}
      max={total}
      text={total > 0 ? `${status} · ${percent(completed / total)}` : status}
    />
  );
}
