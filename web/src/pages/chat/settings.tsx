// The form of how a model is asked in one conversation. Fetched when it is first opened; what the texts mean is `parameters`'.
import { useState } from "preact/hooks";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { ChoiceField, LongTextField, TextField } from "../../parts/field";
import { words } from "../../words";
import { capabilitiesOf } from "./models";
import { draftOf, merged, settingsOf, type Draft, type Wrong } from "./parameters";
import type { Talk } from "./talk";

export default function Parameters({ talk, onClose }: { talk: Talk; onClose: () => void }) {
  const said = words.chat;
  const [begun] = useState(() => draftOf(talk.settings.peek()));
  const [draft, setDraft] = useState(begun);
  const [wrong, setWrong] = useState<Wrong>({});
  const change = (changed: Partial<Draft>): void => setDraft({ ...draft, ...changed });
  const submit = (event: Event): void => {
    event.preventDefault();
    const read = settingsOf(merged(draftOf(talk.settings.peek()), begun, draft));
    if ("wrong" in read) return setWrong(read.wrong);
    talk.adjust(read.settings);
    onClose();
  };
  const field = (
    name: "temperature" | "top_p" | "num_predict" | "num_ctx" | "seed" | "keep_alive",
    label: string,
    hint: string,
  ) => (
    <TextField
      label={label}
      hint={hint}
      error={wrong[name]}
      {...(name !== "keep_alive" && { inputMode: "decimal" as const })}
      autocomplete="off"
      value={draft[name]}
      onValue={(value) => change({ [name]: value })}
    />
  );
  return (
    <Dialog title={said.settings} onClose={onClose}>
      <form class="stack" onSubmit={submit} noValidate>
        <p class="small quiet">{said.settingsNote}</p>
        <LongTextField
          label={said.systemPrompt}
          hint={said.systemHint}
          rows={4}
          value={draft.system}
          onValue={(system) => change({ system })}
        />
        {capabilitiesOf(talk.model.value).includes("thinking") && (
          <ChoiceField
            label={said.think}
            value={draft.think}
            onValue={(think) => change({ think })}
            options={[
              { value: "", text: said.thinkDefault },
              { value: "on", text: said.thinkOn },
              { value: "off", text: said.thinkOff },
              { value: "low", text: said.thinkLow },
              { value: "medium", text: said.thinkMedium },
              { value: "high", text: said.thinkHigh },
            ]}
          />
        )}
        <div class="parameters">
          {field("temperature", said.temperature, said.temperatureHint)}
          {field("top_p", said.topP, said.topPHint)}
          {field("num_predict", said.numPredict, said.numPredictHint)}
          {field("num_ctx", said.numCtx, said.numCtxHint)}
          {field("seed", said.seed, said.seedHint)}
          {field("keep_alive", said.keepAlive, said.keepAliveHint)}
        </div>
        <div class="ends">
          <Button onClick={onClose}>{words.shell.cancel}</Button>
          <Button kind="main" type="submit">
            {words.shell.save}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
