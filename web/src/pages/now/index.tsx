// What goes on in the box: requests, memory, models, and how the last day was.
import { stopRequest, type Now as NowTold } from "../../api/now";
import { number } from "../../format";
import { Page } from "../../parts/page";
import { words } from "../../words";
import { Disk } from "./disk";
import { Past } from "./past";
import { useLive } from "./live";
import { MemoryPicture } from "./memory";
import { Models } from "./models";
import { Requests } from "./requests";
import "./now.css";

export default function Now() {
  const { now, rows } = useLive();
  return (
    <Page title={words.shell.pages.now}>
      {now ? (
        <>
          <Figures now={now} />
          <Requests now={now} stop={stopRequest} />
          <MemoryPicture memory={now.memory} />
          <Models now={now} />
        </>
      ) : (
        <p class="quiet">{words.now.connecting}</p>
      )}
      <Past live={rows} />
      {now && <Disk disk={now.disk} />}
    </Page>
  );
}

/** What one looks for first, in large. What the box does not tell has no place. */
function Figures({ now: { requests, rate, sensors } }: { now: NowTold }) {
  const said = words.now;
  const waits = requests.filter((request) => request.state === "waiting" || request.state === "loading").length;
  const figures: [string, string | undefined][] = [
    [said.running, number(requests.length - waits)],
    [said.waiting, number(waits)],
    [said.answerFigure, number(rate.answer, 1)],
    [said.promptFigure, number(rate.prompt, 1)],
    [said.temperature, sensors.temperature === undefined ? undefined : said.degrees(number(sensors.temperature))],
    [said.power, sensors.power === undefined ? undefined : said.watts(number(sensors.power))],
  ];
  return (
    <dl class="at-a-glance">
      {figures.map(
        ([name, value]) =>
          value !== undefined && (
            <div key={name} class="card">
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ),
      )}
    </dl>
  );
}
