// The table of models: how big each is, what it can, and whether it is in memory or could be.
import { useState } from "preact/hooks";
import { may } from "../../api/box";
import { stays, type Activity, type Fit, type Loaded, type Model } from "../../api/models";
import { ago, bytes, number } from "../../format";
import { Button } from "../../parts/button";
import { reason } from "../../parts/notice";
import { Table, type Column } from "../../parts/table";
import { Link } from "../../place";
import { words } from "../../words";
import { loadIt, unloadIt } from "./actions";
import { useFits, type Here } from "./here";
import { pathOf } from "./paths";

export function Listed({ models, here }: { models: Model[]; here: Here }) {
  const said = words.models;
  const fits = useFits(models, here.loaded);
  const of = (name: string) => ({
    loaded: here.loaded.find((each) => each.name === name),
    activity: here.activity.find((each) => each.name === name),
  });
  const columns: Column<Model>[] = [
    {
      title: said.name,
      heading: true,
      cell: (model) => (
        <div class="model-name">
          <Link to={pathOf(model.name)}>{model.name}</Link>
          <Capabilities of={model} />
        </div>
      ),
    },
    { title: said.size, figure: true, cell: (model) => bytes(model.size) },
    {
      title: said.kind,
      cell: ({ details }) => [details.parameter_size, details.quantization_level].filter(Boolean).join(" · "),
    },
    {
      title: said.context,
      figure: true,
      cell: ({ details }) => details.context_length && number(details.context_length),
    },
    { title: said.memory, cell: ({ name }) => <InMemory {...of(name)} fit={fits.get(name)} /> },
  ];
  if (may("infer") && may("models.write"))
    columns.push({
      title: said.actions,
      unseen: true,
      cell: (model) => <Act model={model} loaded={of(model.name).loaded} again={here.again} />,
    });
  return <Table caption={said.list} columns={columns} rows={models} rowKey={(model) => model.name} empty="" />;
}

export function Capabilities({ of }: { of: Pick<Model, "capabilities"> }) {
  return (
    <span class="tags">
      {of.capabilities.map((capability) => (
        <span key={capability}>{words.models.capabilities[capability] ?? capability}</span>
      ))}
    </span>
  );
}

interface InMemoryProps {
  loaded: Loaded | undefined;
  activity: Activity | undefined;
  fit: Fit | Error | undefined;
}

/** Whether it is in memory, and if not, whether it could be. */
export function InMemory({ loaded, activity, fit }: InMemoryProps) {
  const said = words.models;
  const state = activity?.state ?? (loaded ? "loaded" : "absent");
  const busy = [
    activity && activity.running > 0 && said.inUse(number(activity.running)),
    activity && activity.waiting > 0 && said.waiting(number(activity.waiting)),
  ].filter(Boolean);
  if (state === "absent" && !loaded) return <FitsNow fit={fit} />;
  return (
    <div class="memory">
      <span class={`state ${state}`}>{said.states[state]}</span>
      <span class="small quiet">
        {[
          loaded && bytes(loaded.size),
          ...busy,
          loaded && busy.length === 0 && (stays(loaded) ? said.stays : said.goes(ago(loaded.expires_at))),
        ]
          .filter(Boolean)
          .join(" · ")}
        {activity?.reason}
      </span>
    </div>
  );
}

function FitsNow({ fit }: { fit: Fit | Error | undefined }) {
  const said = words.models;
  if (!fit) return <span class="small quiet">…</span>;
  if (fit instanceof Error) {
    return (
      <div class="memory">
        <span class="state bad">{said.fitsNot}</span>
        <span class="small quiet">{reason(fit)}</span>
      </div>
    );
  }
  const text = fit.outcome === "waits" ? said.fitsLater : fit.evicted > 0 ? said.fitsInstead(fit.evicted) : said.fits;
  return (
    <div class="memory">
      <span class={`state ${fit.outcome === "waits" ? "warn" : "fits"}`}>{text}</span>
      <span class="small quiet">{bytes(fit.total_bytes)}</span>
    </div>
  );
}

function Act({ model, loaded, again }: { model: Model; loaded: Loaded | undefined; again: () => void }) {
  const [busy, setBusy] = useState(false);
  const act = async (): Promise<void> => {
    setBusy(true);
    await (loaded ? unloadIt(model.name) : loadIt({ model: model.name }, model.capabilities));
    setBusy(false);
    again();
  };
  // One that ranks is brought by those who rank.
  if (!loaded && model.capabilities.includes("rerank")) return null;
  return (
    <Button busy={busy} onClick={() => void act()}>
      {loaded ? words.models.unload : words.models.load} <span class="unseen">{model.name}</span>
    </Button>
  );
}
