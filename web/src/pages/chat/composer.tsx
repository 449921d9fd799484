// Where one writes: Enter sends, but not what is still being composed, as Chinese is; Shift and Enter begin a new line.
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { IconButton } from "../../parts/button";
import { fetchMarkdown } from "../../parts/markdown-late";
import { words } from "../../words";
import { capabilitiesOf, models } from "./models";
import { say } from "./open";
import { takeImages } from "./pictures";
import type { Talk } from "./talk";
import { path } from "./tree";
import "./composer.css";

export function Composer({ talk }: { talk: Talk }) {
  const said = words.chat;
  const field = useRef<HTMLTextAreaElement>(null);
  const text = talk.draft.value;
  const pictures = talk.pictures.value;
  const answering = talk.answers.value.size > 0;
  const model = talk.model.value;
  const there = models.value?.some((each) => each.name === model) ?? false;
  const sees = capabilitiesOf(model).includes("vision");
  useGrowing(field, text);
  // A phone would show its keyboard, over what one came to read.
  useEffect(() => {
    if (!matchMedia("(pointer: fine)").matches) return;
    const after = requestAnimationFrame(() => field.current?.focus());
    return () => cancelAnimationFrame(after);
  }, [talk]);
  const something = text.trim() !== "" || pictures.length > 0;
  const ready = there && !answering && something;
  const early = useRef(false);
  const send = (): void => {
    early.current = something && models.peek() === undefined;
    if (!ready) return;
    talk.draft.value = "";
    talk.pictures.value = [];
    say(talk, text.trim(), sees ? pictures : []);
  };
  // What was sent before it is known which models there are goes out then.
  useEffect(() => {
    if (ready && early.current) send();
  }, [ready]);
  const key = (event: KeyboardEvent): void => {
    if (event.key !== "Enter" || event.shiftKey || isComposing(event)) return;
    event.preventDefault();
    send();
  };
  const paste = (event: ClipboardEvent): void => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.some((file) => file.type.startsWith("image/"))) return;
    // A picture that comes with text, as from a page, is pasted as text.
    if (event.clipboardData?.getData("text/plain")) return;
    event.preventDefault();
    void takeImages(talk, files);
  };
  const notice = !there && models.value ? said.chooseModel : blind(talk, sees) ? said.blind : undefined;
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      {notice && (
        <p class="small quiet" role="status">
          {notice}
        </p>
      )}
      <div class="box">
        {pictures.length > 0 && <Pictures talk={talk} />}
        <div class="line">
          {sees && <PictureButton talk={talk} />}
          <textarea
            ref={field}
            rows={1}
            aria-label={said.message}
            placeholder={said.placeholder}
            enterkeyhint="send"
            value={text}
            onInput={(event) => {
              // Whoever writes will have an answer to read.
              fetchMarkdown();
              early.current = false;
              talk.draft.value = event.currentTarget.value;
            }}
            onKeyDown={key}
            onPaste={paste}
          />
          {answering ? (
            <IconButton class="halt" kind="main" icon="stop" label={said.stop} onClick={() => talk.stop()} />
          ) : (
            <IconButton kind="main" type="submit" icon="send" label={said.send} disabled={!ready} />
          )}
        </div>
      </div>
    </form>
  );
}

/** Whether a key belongs to an input method, which takes Enter for its own. */
export function isComposing(event: KeyboardEvent): boolean {
  return event.isComposing || event.keyCode === 229;
}

/** Whether there are pictures that the model will not see. */
function blind(talk: Talk, sees: boolean): boolean {
  if (sees || talk.model.value === "" || !models.value) return false;
  return (
    talk.pictures.value.length > 0 ||
    path(talk.messages.value, talk.leaf.value).some((message) => message.images?.length)
  );
}

/** Makes a field as high as what is in it. */
export function useGrowing(field: { current: HTMLTextAreaElement | null }, text: string): void {
  useLayoutEffect(() => {
    const area = field.current;
    if (!area) return;
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight}px`;
  }, [text]);
}

function PictureButton({ talk }: { talk: Talk }) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <input
        ref={input}
        type="file"
        accept="image/*"
        multiple
        hidden
        onChange={(event) => {
          const field = event.currentTarget;
          void takeImages(talk, [...(field.files ?? [])]).finally(() => (field.value = ""));
        }}
      />
      <IconButton icon="image" label={words.chat.addImage} onClick={() => input.current?.click()} />
    </>
  );
}

function Pictures({ talk }: { talk: Talk }) {
  const drop = (index: number): void => {
    talk.pictures.value = talk.pictures.peek().filter((_, at) => at !== index);
  };
  return (
    <ul class="pictures">
      {talk.pictures.value.map((url, index) => (
        <li key={url}>
          <img src={url} alt={words.chat.picture(index + 1)} />
          <IconButton icon="close" label={words.chat.removeImage(index + 1)} onClick={() => drop(index)} />
        </li>
      ))}
    </ul>
  );
}
