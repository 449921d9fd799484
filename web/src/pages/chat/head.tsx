// At the head of a conversation: which model answers, whether a second one does, and how they are asked.
import { useState } from "preact/hooks";
import { later } from "../../later";
import { IconButton } from "../../parts/button";
import { ChoiceField } from "../../parts/field";
import { words } from "../../words";
import { inMemory, models } from "./models";
import type { Talk } from "./talk";

const Parameters = later(() => import("./settings"));

export function Head({ talk }: { talk: Talk }) {
  const [adjusting, setAdjusting] = useState(false);
  const known = models.value ?? [];
  const model = talk.model.value;
  const second = talk.second.value;
  const { system, options, think, keep_alive } = talk.settings.value;
  const adjusted = [system, options, think, keep_alive].some((value) => value !== undefined);
  const compare = (): void => talk.ask(model, (known.find((each) => each.name !== model) ?? known[0])?.name);
  if (known.length === 0 && model === "") return <div class="models" />;
  return (
    <>
      <div class="models">
        <Models label={words.chat.model} value={model} onValue={(name) => talk.ask(name)} />
        {second !== undefined && (
          <Models label={words.chat.secondModel} value={second} onValue={(name) => talk.ask(model, name)} />
        )}
      </div>
      {second !== undefined ? (
        <IconButton icon="close" label={words.chat.stopComparing} onClick={() => (talk.second.value = undefined)} />
      ) : (
        known.length > 0 && <IconButton icon="columns" label={words.chat.compare} onClick={compare} />
      )}
      <IconButton
        class={adjusted ? "adjusted" : ""}
        icon="settings"
        label={words.chat.settings}
        onClick={() => setAdjusting(true)}
      />
      {adjusting && <Parameters talk={talk} onClose={() => setAdjusting(false)} />}
    </>
  );
}

function Models({ label, value, onValue }: { label: string; value: string; onValue: (name: string) => void }) {
  const known = models.value ?? [];
  const options = known.map(({ name }) => ({
    value: name,
    text: inMemory.value.has(name) ? words.chat.inMemory(plain(name)) : plain(name),
  }));
  if (!known.some((model) => model.name === value))
    options.unshift({ value, text: models.value ? words.chat.gone(plain(value)) : plain(value) });
  return <ChoiceField label={label} unseen value={value} onValue={onValue} options={options} />;
}

/** A name as people say it. */
export function plain(name: string): string {
  return name.replace(/:latest$/, "");
}
