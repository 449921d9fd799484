// Two models that were asked the same, side by side; one can be chosen to go on with.
import type { Message } from "../../api/conversations";
import { Button, IconButton } from "../../parts/button";
import { CopyButton } from "../../parts/copy";
import { words } from "../../words";
import { plain } from "./head";
import { Said } from "./said";
import type { Talk } from "./talk";
import { chosenOf } from "./tree";
import { Turns } from "./turn";

export function Sides({ talk, pair }: { talk: Talk; pair: [Message, Message] }) {
  const answering = talk.answers.value.size > 0;
  const chosen = chosenOf(talk.messages.value, talk.leaf.value, pair, talk.second.value !== undefined);
  const look = (id: string): string => (chosen === undefined ? "" : id === chosen ? "chosen" : "left");
  return (
    <div class="pair" role="group" aria-label={words.chat.sides}>
      {pair.map((message) => (
        <article
          key={message.id}
          class={`side ${look(message.id)}`}
          aria-current={message.id === chosen ? "true" : undefined}
          aria-label={words.chat.answerOf(message.model ?? "")}
        >
          <h2>{plain(message.model ?? "")}</h2>
          <Said talk={talk} message={message} />
          {!talk.answers.value.has(message.id) && (
            <div class="acts">
              {message.id === chosen ? (
                <p class="small state loaded" role="status">
                  {words.chat.chosen}
                </p>
              ) : (
                <Button icon="check" disabled={answering} onClick={() => talk.choose(message)}>
                  {words.chat.chooseThis}
                </Button>
              )}
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
