// What a model brings along: prompts, template, parameters, licence, and what its file says of itself. Folded, as they are long.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Shown } from "../../api/models";
import { Copyable } from "../../parts/copy";
import { Table } from "../../parts/table";
import { words } from "../../words";

export function Texts({ shown }: { shown: Shown }) {
  const said = words.models;
  const messages = (shown.messages ?? []).map(({ role, content }) => `${role}: ${content}`).join("\n\n");
  const texts: [string, string | undefined][] = [
    [said.system, shown.system],
    [said.ownParameters, shown.parameters],
    [said.messages, messages],
    [said.template, shown.template],
    [said.licence, shown.license],
    [said.modelfile, shown.modelfile],
  ];
  return (
    <section class="card texts">
      {texts.map(
        ([title, text]) =>
          text && (
            <Folded key={title} title={title}>
              <Copyable text={text} label={said.copyText(title)} />
            </Folded>
          ),
      )}
      <Metadata title={said.metadata} of={shown.model_info} />
      {shown.projector_info && <Metadata title={said.projector} of={shown.projector_info} />}
    </section>
  );
}

/** What is within is made when it is opened: a licence is long, and a file says much of itself. */
function Folded({ title, children }: { title: string; children: ComponentChildren }) {
  const [open, setOpen] = useState(false);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{title}</summary>
      {open && children}
    </details>
  );
}

function Metadata({ title, of }: { title: string; of: Record<string, unknown> }) {
  const said = words.models;
  const rows = Object.entries(of).filter(([, value]) => !(Array.isArray(value) && value.length === 0));
  return (
    <Folded title={title}>
      <Table
        caption={title}
        rows={rows}
        rowKey={([key]) => key}
        empty=""
        columns={[
          { title: said.key, heading: true, cell: ([key]) => <code>{key}</code> },
          { title: said.value, cell: ([, value]) => (typeof value === "string" ? value : JSON.stringify(value)) },
        ]}
      />
    </Folded>
  );
}
