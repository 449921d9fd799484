// What readers hear of an answer while it comes: a sentence at a time, once it is whole.
import { useMemo } from "preact/hooks";
import { words } from "../../words";
import type { Answer } from "./answer";
import { Sentences } from "./sentences";
import type { Talk } from "./talk";

/** Sentences that stay, for readers that are slow. */
const STAY = 6;

export function Announced({ talk }: { talk: Talk }) {
  const [first] = talk.answers.value;
  return (
    <div class="unseen" aria-live="polite" aria-relevant="additions">
      {first && <Sentence key={first[0]} answer={first[1]} />}
      <Ended talk={talk} />
    </div>
  );
}

function Sentence({ answer }: { answer: Answer }) {
  const said = useMemo(
    () => ({ sentences: new Sentences(() => words.chat.saysCode), all: [words.chat.answering], count: 0 }),
    [answer],
  );
  void answer.version.value;
  said.all.push(...said.sentences.of(answer.content));
  const from = Math.max(0, said.all.length - STAY);
  return (
    <>
      {said.all.slice(from).map((sentence, index) => (
        <p key={from + index}>{sentence}</p>
      ))}
    </>
  );
}

/** The last words of an answer, which have no end of their own. */
function Ended({ talk }: { talk: Talk }) {
  const last = [...talk.messages.value.values()].findLast((message) => message.role === "assistant");
  if (!last || talk.answers.value.size > 0 || !talk.heard.has(last.id)) return null;
  return <p key={last.id}>{new Sentences(() => words.chat.saysCode).of(last.content, true).at(-1)}</p>;
}
