// Tokens by day as bars: what was asked below, what was answered above it. It comes late, with the library that draws it.
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { day, number, shortDay } from "../../format";
import { words } from "../../words";
import type { DayOfUse } from "./sums";

const HEIGHT = 240;

export default function Bars({ days, label }: { days: DayOfUse[]; label: string }) {
  const said = words.keys;
  const place = useRef<HTMLDivElement>(null);
  const [over, setOver] = useState<number>();
  useEffect(() => draw(place.current!, days, setOver), [days]);
  const at = over === undefined ? undefined : days[over];
  return (
    <>
      <p class="legend">
        <span>
          <span class="dot blue" aria-hidden="true" />
          {said.prompts}
        </span>
        <span>
          <span class="dot ember" aria-hidden="true" />
          {said.answers}
        </span>
        {at && (
          <span class="quiet">{said.onDay(day(at.day), number(at.prompt_tokens), number(at.completion_tokens))}</span>
        )}
      </p>
      <div ref={place} class="chart" role="img" aria-label={label} />
    </>
  );
}

/** Draws into `place`, and again when its width or the colours change, until what is returned is called. */
function draw(place: HTMLElement, days: DayOfUse[], setOver: (index: number | undefined) => void): () => void {
  const colour = (name: string) => (): string => {
    place.style.color = `var(${name})`;
    const seen = getComputedStyle(place).color;
    place.style.color = "";
    return seen;
  };
  const bars = uPlot.paths.bars!({ size: [0.7, 40] });
  const axis = {
    stroke: colour("--quiet"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
    font: "12px system-ui, sans-serif",
  };
  const options: uPlot.Options = {
    width: place.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    scales: {
      x: { time: false, range: [-0.6, days.length - 0.4] },
      y: { range: (_, __, most) => [0, Math.max(most, 10) * 1.05] },
    },
    series: [
      {},
      { fill: colour("--ember"), width: 0, paths: bars, points: { show: false } },
      { fill: colour("--blue"), width: 0, paths: bars, points: { show: false } },
    ],
    axes: [
      {
        ...axis,
        size: 28,
        grid: { show: false },
        incrs: [1, 2, 5, 10, 15, 30],
        values: (_, splits) => splits.map((index) => shortDay(days[index]?.day)),
      },
      {
        ...axis,
        size: 60,
        incrs: [1, 2, 5]
          .flatMap((step) => Array.from({ length: 13 }, (_, power) => step * 10 ** power))
          .sort((one, other) => one - other),
        values: (_, splits) => splits.map((count) => number(count)),
      },
    ],
    hooks: { setCursor: [(plot) => setOver(plot.cursor.idx ?? undefined)] },
  };
  const total = days.map((each) => each.prompt_tokens + each.completion_tokens);
  const plot = new uPlot(
    options,
    [days.map((_, index) => index), total, days.map((each) => each.prompt_tokens)],
    place,
  );
  const resized = new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: HEIGHT }));
  resized.observe(place);
  const again = (): void => plot.redraw(false);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", again);
  const chosen = new MutationObserver(again);
  chosen.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  return () => {
    resized.disconnect();
    chosen.disconnect();
    dark.removeEventListener("change", again);
    plot.destroy();
  };
}
