// Lines over time, by uPlot, which comes with this file when it is first needed. Its colours are the page's, light or dark.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { locale, words } from "../../words";
import { clock, moment } from "../../format";

export interface Line {
  name: string;
  /** One of tokens.css. */
  colour: "--ember" | "--blue" | "--good" | "--warn" | "--bad";
  /** `null`, where there is none. */
  values: (number | null)[];
}

export interface ChartProps {
  title: string;
  /** Seconds since 1970. */
  times: number[];
  lines: Line[];
  format: (value: number) => string;
}

const HEIGHT = 170;

export default function Chart({ title, times, lines, format }: ChartProps) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const data = useRef<uPlot.AlignedData>([[]]);
  data.current = [times, ...lines.map((line) => line.values)];
  useEffect(() => {
    const place = host.current;
    if (!place) return;
    const draw = (): void => {
      plot.current?.destroy();
      plot.current = new uPlot(options(place, lines, format), data.current, place);
    };
    draw();
    const sized = new ResizeObserver(() => plot.current?.setSize({ width: place.clientWidth, height: HEIGHT }));
    sized.observe(place);
    const themed = onTheme(draw);
    return () => {
      sized.disconnect();
      themed();
      plot.current?.destroy();
      plot.current = undefined;
    };
    // Other lines are another chart; other figures of the same are put into it below.
  }, [lines.map((line) => line.name).join()]);
  useEffect(() => plot.current?.setData(data.current));
  const ends = [times[0], times.at(-1)].map((time) => moment((time ?? 0) * 1000));
  return (
    <figure class="card plot">
      <figcaption>
        <h3>{title}</h3>
        {lines.length > 1 && (
          <ul>
            {lines.map((line) => (
              <li key={line.name} class={line.colour.slice(2)}>
                {line.name}
              </li>
            ))}
          </ul>
        )}
      </figcaption>
      <div ref={host} role="img" aria-label={words.now.chart(title, ends[0]!, ends[1]!)} />
    </figure>
  );
}

function options(place: HTMLElement, lines: Line[], format: (value: number) => string): uPlot.Options {
  const [ink, line] = [colour(place, "--quiet"), colour(place, "--line")];
  const font = `12px ${getComputedStyle(place).fontFamily}`;
  const axis: uPlot.Axis = { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { show: false } };
  const hours = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
  const time = (seconds: number, step: number): string =>
    step < 60 ? clock(seconds * 1000) : hours.format(seconds * 1000);
  return {
    width: place.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } },
    axes: [
      { ...axis, size: 28, space: 80, values: (_, splits, __, ___, step) => splits.map((split) => time(split, step)) },
      { ...axis, size: 60, space: 36, values: (_, splits) => splits.map(format) },
    ],
    series: [
      {},
      ...lines.map((each) => ({
        label: each.name,
        stroke: colour(place, each.colour),
        width: 2,
        spanGaps: false,
        points: { size: 4, show: each.values.length < 3 },
      })),
    ],
  };
}

/** A colour of tokens.css as it is here and now: a canvas knows no `light-dark`. */
function colour(place: HTMLElement, name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  place.append(probe);
  const computed = getComputedStyle(probe).color;
  probe.remove();
  return computed;
}

/** Calls when light turns to dark, by the device or by choice. */
function onTheme(act: () => void): () => void {
  const device = matchMedia("(prefers-color-scheme: dark)");
  device.addEventListener("change", act);
  const choice = new MutationObserver(act);
  choice.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  return () => {
    device.removeEventListener("change", act);
    choice.disconnect();
  };
}
