// The chat: conversations at the side, and the one that is open. What holds them is `open`'s and `talk`'s.
import { useEffect, useRef } from "preact/hooks";
import { IconButton } from "../../parts/button";
import { Notice } from "../../parts/notice";
import { useTitle } from "../../parts/page";
import { go, place } from "../../place";
import { words } from "../../words";
import { Composer } from "./composer";
import { Empty } from "./empty";
import { Head } from "./head";
import { ListOfConversations } from "./list";
import { models, usualModel } from "./models";
import { openAt, opened, stayCurrent } from "./open";
import { takeImages } from "./pictures";
import { Transcript } from "./transcript";
import type { Talk } from "./talk";
import "./chat.css";

export default function Chat() {
  const { path } = place.value;
  const drawer = useRef<HTMLElement>(null);
  const open = opened.value;
  useEffect(stayCurrent, []);
  useEffect(() => openAt(path), [path]);
  const talk = "talk" in open ? open.talk : undefined;
  const heading = useTitle(talk?.title.value || words.chat.title);
  const away = (): void => drawer.current?.hidePopover();
  return (
    <div class="chat">
      <h1 ref={heading} class="unseen" tabIndex={-1}>
        {talk?.title.value || words.chat.title}
      </h1>
      <aside ref={drawer} id="conversations" class="list" popover="auto" aria-label={words.chat.conversations}>
        <ListOfConversations current={talk?.id} onGo={away} />
      </aside>
      {talk ? (
        <Open key={talk.id} talk={talk} />
      ) : (
        <section class="talk">
          <header class="head">
            <DrawerButton />
          </header>
          <div class="nothing">
            {"failed" in open ? <Notice kind="bad">{open.failed}</Notice> : <p class="quiet">{words.shell.loading}</p>}
          </div>
        </section>
      )}
    </div>
  );
}

/** Opens the list where there is no room for it at the side. */
function DrawerButton() {
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => button.current?.setAttribute("popovertarget", "conversations"), []);
  return <IconButton class="drawer" buttonRef={button} icon="list" label={words.chat.showList} />;
}

function Open({ talk }: { talk: Talk }) {
  const known = models.value;
  // A conversation that is new has the usual model, once that is known.
  if (talk.model.value === "" && known?.[0]) talk.model.value = usualModel();
  useEffect(() => {
    const stop = (event: KeyboardEvent): void => {
      const elsewhere =
        event.defaultPrevented || (event.target instanceof Element && event.target.closest(".list") !== null);
      if (event.key === "Escape" && !elsewhere && !document.querySelector("dialog[open], :popover-open")) talk.stop();
    };
    document.addEventListener("keydown", stop);
    return () => document.removeEventListener("keydown", stop);
  }, [talk]);
  const { dropping, ...drop } = useDrop(talk);
  const trouble = talk.keeper.trouble.value;
  const begun = talk.messages.value.size > 0;
  return (
    <section class="talk" {...drop}>
      <header class="head">
        <DrawerButton />
        <Head talk={talk} />
        <IconButton class="drawer" icon="plus" label={words.chat.begin} onClick={() => go("/")} />
      </header>
      {begun ? <Transcript talk={talk} /> : <Empty talk={talk} />}
      {trouble !== undefined && (
        <div class="trouble">
          <Notice kind="warning">
            {words.chat.notKept(trouble)}{" "}
            <button type="button" class="inline" onClick={() => talk.keeper.again()}>
              {words.chat.tryAgain}
            </button>
          </Notice>
        </div>
      )}
      {(begun || known?.length !== 0) && <Composer talk={talk} />}
      <p ref={dropping} class="drop" hidden>
        {words.chat.dropHere}
      </p>
    </section>
  );
}

/** Takes pictures that are dropped. */
function useDrop(talk: Talk) {
  const dropping = useRef<HTMLParagraphElement>(null);
  const show = (shown: boolean): void => {
    if (dropping.current) dropping.current.hidden = !shown;
  };
  return {
    dropping,
    onDragOver: (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      show(true);
    },
    onDragLeave: (event: DragEvent) => {
      if (!(event.relatedTarget instanceof Node) || !(event.currentTarget as Element).contains(event.relatedTarget))
        show(false);
    },
    onDrop: (event: DragEvent) => {
      event.preventDefault();
      show(false);
      void takeImages(talk, [...(event.dataTransfer?.files ?? [])]);
    },
  };
}
