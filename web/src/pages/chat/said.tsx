// What a model said, while it says it and after: thoughts, text, calls of tools, how it ended, and how fast it was.
import { useEffect, useState } from "preact/hooks";
import { reachable } from "../../api/client";
import { readable, type Figures, type Message, type ToolCall } from "../../api/conversations";
import { span } from "../../format";
import { MarkdownLate as Markdown } from "../../parts/markdown-late";
import { Notice } from "../../parts/notice";
import { words } from "../../words";
import type { Answer } from "./answer";
import { plain } from "./head";
import { inMemory } from "./models";
import { refresh } from "./open";
import type { Talk } from "./talk";

export function Said({ talk, message }: { talk: Talk; message: Message }) {
  const answer = talk.answers.value.get(message.id);
  void answer?.version.value;
  const content = answer?.content ?? message.content;
  const thinking = answer?.thinking ?? message.thinking ?? "";
  const calls = readable(answer?.calls ?? message.tool_calls);
  if (message.role === "tool" || message.role === "system") return <Aside message={message} />;
  return (
    <>
      {thinking !== "" && (
        <Thinking text={thinking} now={answer !== undefined && content === "" && calls.length === 0} />
      )}
      {content !== "" && <Markdown text={content} live={answer !== undefined} />}
      {calls.map((call, index) => (
        <Called key={index} call={call} />
      ))}
      {answer ? !answer.begun && <Waits message={message} answer={answer} /> : <Ending talk={talk} message={message} />}
    </>
  );
}

/** Folded, while and after: who wants to read it opens it. */
function Thinking({ text, now }: { text: string; now: boolean }) {
  const [open, setOpen] = useState(false);
  return (
    <details class="thinking" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary class={now ? "going" : ""}>{now ? words.chat.thinkingNow : words.chat.thought}</summary>
      {open && <Markdown text={text} live={now} />}
    </details>
  );
}

function Called({ call: { function: called } }: { call: ToolCall }) {
  return (
    <details class="called">
      <summary>{words.chat.called(called.name)}</summary>
      <pre tabIndex={0}>
        <code>{JSON.stringify(called.arguments, null, 2)}</code>
      </pre>
    </details>
  );
}

function Aside({ message }: { message: Message }) {
  return (
    <details class="called">
      <summary>{message.role === "tool" ? words.chat.result : words.chat.system}</summary>
      <pre tabIndex={0}>{message.content}</pre>
    </details>
  );
}

function Waits({ message }: { message: Message; answer: Answer }) {
  const model = message.model ?? "";
  return (
    <p class="quiet going">{inMemory.value.has(model) ? words.chat.waiting : words.chat.loadingModel(plain(model))}</p>
  );
}

function Ending({ talk, message }: { talk: Talk; message: Message }) {
  if (message.state === "answering") return <Elsewhere talk={talk} message={message} />;
  const nothing = message.content === "" && !message.tool_calls?.length;
  return (
    <>
      {message.state === "failed" && (
        <Failed talk={talk} message={message} why={message.error ?? words.chat.endedEarly} />
      )}
      {message.state === "stopped" && <p class="small quiet">{words.chat.stopped}</p>}
      {message.state === "whole" && message.ended === "length" && <TooLong talk={talk} message={message} />}
      {message.state === "whole" && nothing && !message.ended && <p class="small quiet">{words.chat.emptyAnswer}</p>}
      {message.figures && <Speed figures={message.figures} />}
    </>
  );
}

/** Cut by how long it may be. What only thought cannot be gone on with. */
function TooLong({ talk, message }: { talk: Talk; message: Message }) {
  if (message.content === "")
    return <Notice kind="note">{message.thinking ? words.chat.thoughtTooLong : words.chat.tooLong}</Notice>;
  return (
    <Notice kind="note">
      {words.chat.tooLong}{" "}
      <button
        type="button"
        class="inline"
        disabled={talk.answers.value.size > 0}
        onClick={() => talk.say(words.chat.goOnText, [], message.id)}
      >
        {words.chat.goOn}
      </button>
    </Notice>
  );
}

function Failed({ talk, message, why }: { talk: Talk; message: Message; why: string }) {
  const own = [
    words.chat.cutOff,
    words.chat.lostAnswer,
    words.chat.endedEarly,
    words.chat.stoppedOnNow,
    words.shell.unreachable,
  ].includes(why);
  return (
    <Notice kind="bad">
      {own ? why : words.chat.failedAnswer(why)}{" "}
      <button type="button" class="inline" disabled={talk.answers.value.size > 0} onClick={() => talk.again(message)}>
        {words.chat.tryAgain}
      </button>
    </Notice>
  );
}

/** Between two looks at what another window writes, and for how long it may write nothing. */
const LOOK_MS = 3000;
const CUT_OFF_MS = 12_000;

/** An answer that is not being given to this window: to another one, or to none any more. */
function Elsewhere({ talk, message }: { talk: Talk; message: Message }) {
  const [cut, setCut] = useState(false);
  useEffect(() => {
    let known = talk.revision;
    let since = performance.now();
    const look = async (): Promise<void> => {
      if (!reachable.peek()) since = performance.now();
      await refresh();
      if (talk.revision !== known) {
        known = talk.revision;
        since = performance.now();
      }
      setCut(performance.now() - since > CUT_OFF_MS);
    };
    const timer = setInterval(() => void look(), LOOK_MS);
    return () => clearInterval(timer);
  }, [talk]);
  return cut ? (
    <Failed talk={talk} message={message} why={words.chat.cutOff} />
  ) : (
    <p class="small quiet going">{words.chat.elsewhere}</p>
  );
}

function Speed({ figures: { tokens, tokens_per_second: rate, first_token_ms: first } }: { figures: Figures }) {
  const parts = [
    rate !== undefined && words.chat.perSecond(rate),
    tokens !== undefined && words.chat.tokens(tokens),
    first !== undefined && words.chat.firstToken(span(first / 1000)),
  ].filter((part) => part !== false);
  return parts.length > 0 ? <p class="figures">{parts.join(" · ")}</p> : null;
}
