// A conversation in the list.
import { useState } from "preact/hooks";
import { change, fetched, type Listed } from "../../api/conversations";
import { Button } from "../../parts/button";
import { confirm } from "../../parts/confirm";
import { Dialog } from "../../parts/dialog";
import { TextField } from "../../parts/field";
import { Menu } from "../../parts/menu";
import { trying } from "../../parts/notice";
import { Link } from "../../place";
import { words } from "../../words";
import { asMarkdown, fileName, save } from "./export";
import { retitle } from "./listing";
import { opened, removeOne } from "./open";

export function Row({ row, current, onGo }: { row: Listed; current: boolean; onGo: () => void }) {
  const [renaming, setRenaming] = useState(false);
  const title = row.title || words.chat.untitled;
  return (
    <li class={current ? "current" : ""}>
      <Link to={`/chat/${row.id}`} current={current} onGo={onGo}>
        <span class="title">{title}</span>
        {row.found && <span class="found">{row.found}</span>}
      </Link>
      <Menu
        label={words.chat.actionsFor(title)}
        choices={[
          { text: words.chat.rename, icon: "edit", act: () => setRenaming(true) },
          { text: words.chat.exportMarkdown, icon: "download", act: () => void exported(row, "md") },
          { text: words.chat.exportJson, icon: "download", act: () => void exported(row, "json") },
          { text: words.chat.remove, icon: "trash", danger: true, act: () => removed(row.id, title) },
        ]}
      />
      {renaming && <Rename row={row} onClose={() => setRenaming(false)} />}
    </li>
  );
}

function Rename({ row, onClose }: { row: Listed; onClose: () => void }) {
  const [title, setTitle] = useState(row.title);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const open = opened.peek();
    const changed = title.trim();
    const done = await trying(() => change(row.id, { title: changed }));
    if (!done) return;
    retitle(row.id, changed);
    if ("talk" in open && open.talk.id === row.id) open.talk.title.value = changed;
    onClose();
  };
  return (
    <Dialog title={words.chat.rename} onClose={onClose}>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        <TextField
          label={words.chat.newTitle}
          required
          maxLength={200}
          autocomplete="off"
          value={title}
          onValue={setTitle}
        />
        <div class="ends">
          <Button onClick={onClose}>{words.shell.cancel}</Button>
          <Button kind="main" type="submit" disabled={title.trim() === ""}>
            {words.shell.save}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function exported(row: Listed, kind: "md" | "json"): Promise<boolean> {
  return trying(async () => {
    const conversation = await fetched(row.id);
    if (kind === "md") save(fileName(row.title, "md"), "text/markdown", asMarkdown(conversation));
    else save(fileName(row.title, "json"), "application/json", JSON.stringify(conversation, null, 2));
  });
}

function removed(id: string, title: string): void {
  confirm({
    title: words.chat.removeTitle,
    text: words.chat.removeText(title),
    act: words.chat.remove,
    danger: true,
    does: () => removeOne(id),
  });
}
