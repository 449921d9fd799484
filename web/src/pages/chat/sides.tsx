// Two models that were asked the same, side by side; one can be chosen to go on with.
import type { Message } from "../../api/conversations";
import { Button, IconButton } from "../../parts/button";
import { CopyButton } from "../../parts/copy";
import { words } from "../../words";
import { plain } from "./head";
import { Said } from "./said";
import type { Talk } from "./talk";
import { Turns } from "./turn";

export function Sides({ talk, pair }: { talk: Talk; pair: [Message, Message] }) {
  const answering = talk.answers.value.size > 0;
  return (
    <div class="pair" role="group" aria-label={words.chat.sides}>
      {pair.map((message) => (
        <article key={message.id} class="side" aria-label={words.chat.answerOf(message.model ?? "")}>
          <h2>{plain(message.model ?? "")}</h2>
          <Said talk={talk} message={message} />
          {!talk.answers.value.has(message.id) && (
            <div class="acts">
              <Button icon="check" disabled={answering} onClick={() => talk.choose(message)}>
                {words.chat.chooseThis}
              </Button>
              <CopyButton text={message.content} label={words.chat.copy} />
            </div>
          )}
        </article>
      ))}
      {!answering && (
        <div class="acts">
          <IconButton
            icon="again"
            label={words.chat.regenerate}
            onClick={() => pair[0].parent !== null && talk.answer(pair[0].parent)}
          />
          <Turns talk={talk} message={pair[0]} whole />
        </div>
      )}
    </div>
  );
}
