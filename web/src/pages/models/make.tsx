// Another model from one that is there: its own name, system prompt and parameters over the same weights.
import { useState } from "preact/hooks";
import { Failure } from "../../api/client";
import { create, type Making, type Shown, type Step } from "../../api/models";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { LongTextField, TextField } from "../../parts/field";
import { Progress } from "../../parts/meter";
import { Notice, reason, say } from "../../parts/notice";
import { go } from "../../place";
import { percent } from "../../format";
import { words } from "../../words";
import { Marked } from "../../parts/marked";
import { WrongLine, parseParameters } from "./parameters";
import { pathOf } from "./paths";

interface MakeProps {
  from: string;
  shown: Shown;
  onClose: () => void;
}

export function Make({ from, shown, onClose }: MakeProps) {
  const said = words.models;
  const [name, setName] = useState("");
  const [system, setSystem] = useState(shown.system ?? "");
  const [parameters, setParameters] = useState("");
  const [step, setStep] = useState<Step>();
  const [failed, setFailed] = useState<unknown>();
  const wrong = (field: string): string | undefined => (failed instanceof Failure && failed.field === field ? reason(failed) : undefined);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setFailed(undefined);
    try {
      const making: Making = { model: name.trim(), from, parameters: parseParameters(parameters) };
      if (system !== (shown.system ?? "")) making.system = system;
      setStep({});
      await create(making, setStep);
      say(said.made(making.model));
      onClose();
      go(pathOf(making.model));
    } catch (error) {
      setFailed(error);
      setStep(undefined);
    }
  };
  return (
    <Dialog title={said.makeTitle(from)} wide onClose={onClose}>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        <p class="small quiet">{said.makeText}</p>
        <TextField label={said.makeName} hint={<Marked text={said.makeNameHint} />} error={wrong("model") ?? wrong("name")} required mono autocomplete="off" spellcheck={false} value={name} onValue={setName} />
        <LongTextField label={said.makeSystem} hint={said.makeSystemHint} error={wrong("system")} rows={4} value={system} onValue={setSystem} />
        <LongTextField
          label={said.makeParameters}
          hint={<Marked text={said.makeParametersHint} />}
          error={failed instanceof WrongLine ? said.makeWrong(failed.line) : wrong("parameters")}
          rows={3}
          mono
          spellcheck={false}
          value={parameters}
          onValue={setParameters}
        />
        {failed !== undefined && !(failed instanceof WrongLine) && !(failed instanceof Failure && failed.field) && <Notice kind="bad">{reason(failed)}</Notice>}
        {step && <Steps step={step} />}
        <div class="ends">
          <Button onClick={onClose}>{words.shell.cancel}</Button>
          <Button type="submit" kind="main" busy={step !== undefined}>
            {said.makeAct}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function Steps({ step }: { step: Step }) {
  const { total = 0, completed = 0, status = "" } = step;
  return <Progress label={words.models.makeAct} value={completed} max={total} text={total > 0 ? `${status} · ${percent(completed / total)}` : status} />;
}
