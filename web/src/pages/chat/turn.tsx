// One message of the conversation, with what can be done with it.
import { useRef, useState } from "preact/hooks";
import type { Message } from "../../api/conversations";
import { Button, IconButton } from "../../parts/button";
import { CopyButton } from "../../parts/copy";
import { words } from "../../words";
import { Said } from "./said";
import { isComposing, useGrowing } from "./composer";
import type { Talk } from "./talk";
import { versions } from "./tree";

interface TurnProps {
  talk: Talk;
  message: Message;
}

export function Turn({ talk, message }: TurnProps) {
  if (message.role === "user") return <Asked talk={talk} message={message} />;
  const answers = talk.answers.value;
  return (
    <article class="turn answer" aria-label={words.chat.answerOf(message.model ?? "")}>
      <Said talk={talk} message={message} />
      {message.role === "assistant" && (
        <div class="acts">
          {!answers.has(message.id) && <Acts talk={talk} message={message} />}
          <Turns talk={talk} message={message} />
        </div>
      )}
    </article>
  );
}

function Acts({ talk, message }: TurnProps) {
  return (
    <>
      {message.content !== "" && <CopyButton text={message.content} label={words.chat.copy} />}
      <IconButton
        icon="again"
        label={words.chat.regenerate}
        disabled={talk.answers.value.size > 0}
        onClick={() => talk.again(message)}
      />
    </>
  );
}

function Asked({ talk, message }: TurnProps) {
  const [editing, setEditing] = useState(false);
  const answering = talk.answers.value.size > 0;
  return (
    <article class="turn asked" aria-label={words.chat.you}>
      {message.images && message.images.length > 0 && (
        <div class="pictures">
          {message.images.map((url, index) => (
            <img key={index} src={url} alt={words.chat.picture(index + 1)} />
          ))}
        </div>
      )}
      {editing ? (
        <Edited talk={talk} message={message} onEnd={() => setEditing(false)} />
      ) : (
        <>
          {message.content !== "" && <p class="bubble">{message.content}</p>}
          <div class="acts">
            <IconButton icon="edit" label={words.chat.edit} disabled={answering} onClick={() => setEditing(true)} />
            <CopyButton text={message.content} label={words.chat.copy} />
            <Turns talk={talk} message={message} />
          </div>
        </>
      )}
    </article>
  );
}

function Edited({ talk, message, onEnd }: TurnProps & { onEnd: () => void }) {
  const [text, setText] = useState(message.content);
  const field = useRef<HTMLTextAreaElement>(null);
  useGrowing(field, text);
  const send = (): void => {
    if (text.trim() === "") return;
    onEnd();
    talk.edit(message, text.trim());
  };
  const key = (event: KeyboardEvent): void => {
    if (event.key === "Escape") {
      event.preventDefault();
      onEnd();
    } else if (event.key === "Enter" && !event.shiftKey && !isComposing(event)) {
      event.preventDefault();
      send();
    }
  };
  return (
    <form
      class="edited"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <textarea
        ref={field}
        rows={1}
        autofocus
        aria-label={words.chat.editing}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={key}
      />
      <div class="ends">
        <Button onClick={onEnd}>{words.shell.cancel}</Button>
        <Button kind="main" type="submit" disabled={text.trim() === ""}>
          {words.chat.sendEdited}
        </Button>
      </div>
    </form>
  );
}

/** The versions of a message, with arrows to those beside it. */
export function Turns({ talk, message, whole = false }: TurnProps & { whole?: boolean }) {
  const { at, ids } = versions(talk.messages.value, message.id, whole);
  if (ids.length < 2) return null;
  const to = (index: number) => () => {
    const id = ids[index];
    if (id !== undefined) talk.turnTo(id);
  };
  return (
    <div class="versions" role="group" aria-label={words.chat.version(at + 1, ids.length)}>
      <IconButton icon="left" label={words.chat.earlier} disabled={at <= 0} onClick={to(at - 1)} />
      <span class="small quiet" aria-hidden="true">
        {words.chat.version(at + 1, ids.length)}
      </span>
      <IconButton icon="right" label={words.chat.later} disabled={at >= ids.length - 1} onClick={to(at + 1)} />
    </div>
  );
}
