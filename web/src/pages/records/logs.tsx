// The last lines of the log, and those that come, until it is paused.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { ask, epoch } from "../../api/client";
import { listen } from "../../api/events";
import { LOGS, asking, type Line, type Lines } from "../../api/records";
import { clock } from "../../format";
import type { Asked } from "../../parts/asked";
import { Button } from "../../parts/button";
import { ChoiceField, TextField } from "../../parts/field";
import { Icon } from "../../parts/icon";
import { Loaded } from "../../parts/page";
import { words } from "../../words";
import { gathering, withLater } from "./joined";
import { useSettled } from "./settled";

const AT_FIRST = 500;
/** Older ones leave the page, not the box. */
const MOST = 2000;

type Level = Line["level"];

export function Logs() {
  const said = words.records;
  const [level, setLevel] = useState<Level>("info");
  const [text, setText] = useState("");
  const [paused, setPaused] = useState(false);
  const lines = useLines(level, useSettled(text), paused);
  return (
    <section class="stack" aria-label={said.tabs.logs}>
      <p class="quiet">{said.logsText}</p>
      <div class="pair">
        <TextField label={said.text} type="search" autocomplete="off" value={text} onValue={setText} />
        <ChoiceField
          label={said.level}
          value={level}
          onValue={setLevel}
          options={(Object.keys(said.levels) as Level[]).map((value) => ({ value, text: said.levels[value] }))}
        />
      </div>
      <div class="row apart">
        <div class="row">
          <Button icon={paused ? "play" : "pause"} onClick={() => setPaused(!paused)}>
            {paused ? said.follow : said.pause}
          </Button>
          <span class="small quiet" role="status">
            {paused ? said.paused : ""}
          </span>
        </div>
        <a class="button plain" href={`${LOGS}/text`} download="hob-log.txt">
          <Icon name="download" />
          {said.download}
        </a>
      </div>
      <Loaded of={lines}>
        {(lines) => (lines.length === 0 ? <p class="quiet">{said.noLines}</p> : <Tail lines={lines} />)}
      </Loaded>
    </section>
  );
}

/** The end of it is in sight for as long as nobody scrolls away. */
function Tail({ lines }: { lines: Line[] }) {
  const said = words.records;
  const place = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  useLayoutEffect(() => {
    if (place.current && atEnd.current) place.current.scrollTop = place.current.scrollHeight;
  }, [lines]);
  const scrolled = (): void => {
    const { scrollTop, clientHeight, scrollHeight } = place.current!;
    atEnd.current = scrollTop + clientHeight >= scrollHeight - 8;
  };
  return (
    <div ref={place} class="log" role="log" aria-live="off" aria-label={said.lines} tabIndex={0} onScroll={scrolled}>
      {lines.map((line) => (
        <p key={`${line.at} ${line.n}`} class={line.level}>
          <time dateTime={line.at}>{clock(line.at)}</time> <span class="level">{line.level.toUpperCase()}</span>{" "}
          <span class="quiet">{line.target}</span> {line.message}
        </p>
      ))}
    </div>
  );
}

function useLines(level: Level, text: string, paused: boolean): Asked<Line[]> {
  const [found, setFound] = useState<{ of: string; lines: Line[] }>();
  const [error, setError] = useState<unknown>();
  const [count, setCount] = useState(0);
  const path = asking(LOGS, { level, text, limit: AT_FIRST });
  const current = epoch.value;
  useEffect(() => {
    const gone = new AbortController();
    ask<Lines>("GET", path, undefined, gone.signal).then(
      ({ lines }) => {
        if (gone.signal.aborted) return;
        setError(undefined);
        setFound({ of: path, lines });
      },
      (failed: unknown) => !gone.signal.aborted && setError(failed),
    );
    return () => gone.abort();
  }, [path, count, current]);
  const loaded = found?.of === path;
  useEffect(() => {
    if (paused || !loaded) return;
    const { hear, end } = gathering<Line>((come) =>
      setFound((found) => found && { ...found, lines: withLater(found.lines, come, MOST) }),
    );
    const stop = listen<Line>(asking(`${LOGS}/events`, { after: found.lines.at(-1)?.n, level, text }), "line", hear);
    return () => {
      stop();
      end();
    };
  }, [path, paused, loaded]);
  return { value: found?.lines, error, again: () => setCount((count) => count + 1), set: () => undefined };
}
