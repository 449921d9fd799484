// What was said, from the first message to where one is. It scrolls along while one is at its end.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { IconButton } from "../../parts/button";
import { words } from "../../words";
import { Announced } from "./announced";
import { Turn } from "./turn";
import { Sides } from "./sides";
import type { Talk } from "./talk";
import { pairOf, path } from "./tree";
import "./transcript.css";

/** Pixels from the end at which one still is there. */
const NEAR = 48;

export function Transcript({ talk }: { talk: Talk }) {
  const { area, inner, away, toEnd } = useFollowing(talk);
  const messages = talk.messages.value;
  const shown = path(messages, talk.leaf.value);
  const last = shown.at(-1);
  const pair = last && pairOf(messages, last.id);
  const turns = pair ? shown.slice(0, -1) : shown;
  return (
    <div class="between">
      <div ref={area} class="scroll" role="log" aria-live="off" aria-label={words.chat.transcript} tabIndex={0}>
        <div ref={inner} class={pair ? "transcript wide" : "transcript"}>
          {turns.map((message) => (
            <Turn key={message.id} talk={talk} message={message} />
          ))}
          {pair && <Sides key={pair[0].id} talk={talk} pair={pair} />}
        </div>
      </div>
      <Announced talk={talk} />
      {away && <IconButton class="end" kind="plain" icon="down" label={words.chat.toEnd} onClick={toEnd} />}
    </div>
  );
}

function useFollowing(talk: Talk) {
  const area = useRef<HTMLDivElement>(null);
  const inner = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  const [away, setAway] = useState(false);
  const toEnd = (): void => {
    follows.current = true;
    setAway(false);
    area.current?.scrollTo({ top: area.current.scrollHeight });
  };
  // What one has said oneself is looked at.
  const asked = [...talk.messages.value.values()].findLast((message) => message.role === "user")?.id;
  useLayoutEffect(toEnd, [asked]);
  useEffect(() => {
    const scrolls = area.current;
    if (!scrolls || !inner.current) return;
    const atEnd = (): boolean => scrolls.scrollHeight - scrolls.scrollTop - scrolls.clientHeight < NEAR;
    let top = scrolls.scrollTop;
    const scrolled = (): void => {
      // Only who goes up leaves the end; what grows below does not take one from it.
      if (atEnd()) follows.current = true;
      else if (scrolls.scrollTop < top - 1) follows.current = false;
      top = scrolls.scrollTop;
      setAway(!follows.current);
    };
    const grown = new ResizeObserver(() => {
      if (follows.current) scrolls.scrollTop = scrolls.scrollHeight;
      else setAway(!atEnd());
    });
    scrolls.addEventListener("scroll", scrolled, { passive: true });
    grown.observe(inner.current);
    grown.observe(scrolls);
    return () => {
      scrolls.removeEventListener("scroll", scrolled);
      grown.disconnect();
    };
  }, []);
  return { area, inner, away, toEnd };
}
