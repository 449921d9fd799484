// What a model would take in memory with a context that is chosen, before it is loaded.
import { fitPath, type Fit, type Shown } from "../../api/models";
import { bytes, number } from "../../format";
import { useAsked } from "../../parts/asked";
import { ChoiceField } from "../../parts/field";
import { Parts, type Part } from "../../parts/meter";
import { Notice, reason } from "../../parts/notice";
import { words } from "../../words";

interface RoomProps {
  name: string;
  shown: Shown;
  context: number | undefined;
  onContext: (context: number | undefined) => void;
}

const OWN = "";

export function Room({ name, shown, context, onContext }: RoomProps) {
  const said = words.models;
  const { value: fit, error } = useAsked<Fit>(fitPath(name, context));
  const choices = contexts(shown.details.context_length).map((size) => ({
    value: `${size}`,
    text: said.tokens(number(size)),
  }));
  return (
    <section class="card stack">
      <h2>{said.room}</h2>
      <div class="by-name">
        <ChoiceField
          label={said.contextLabel}
          hint={said.contextHint}
          value={context === undefined ? OWN : `${context}`}
          onValue={(value) => onContext(value === OWN ? undefined : Number(value))}
          options={[{ value: OWN, text: said.contextOwn }, ...choices]}
        />
      </div>
      <div class="stack" aria-live="polite">
        {error !== undefined ? <Notice kind="warning">{reason(error)}</Notice> : fit && <Estimate fit={fit} />}
      </div>
    </section>
  );
}

function Estimate({ fit }: { fit: Fit }) {
  const said = words.models;
  const part = (name: string, value: number, colour: Part["colour"]): Part => ({
    name,
    value,
    text: bytes(value),
    colour,
  });
  const named = fit.weights_bytes + fit.kv_cache_bytes + fit.compute_bytes + fit.prefix_bytes;
  const rest = Math.max(fit.total_bytes - named, 0);
  const left = Math.max(fit.budget_bytes - fit.total_bytes, 0);
  const parts = [
    part(said.weights, fit.weights_bytes, "ember"),
    part(said.cache, fit.kv_cache_bytes, "blue"),
    part(said.compute, fit.compute_bytes, "good"),
    part(said.prefixes, fit.prefix_bytes, "warn"),
    part(said.rest, rest, "quiet"),
    part(said.others, left, "free"),
  ];
  const verdict =
    fit.outcome === "loaded"
      ? said.states.loaded
      : fit.outcome === "waits"
        ? said.fitsLater
        : fit.evicted > 0
          ? said.fitsInstead(fit.evicted)
          : said.fits;
  return (
    <>
      <p>
        <strong>{said.verdict(verdict)}</strong> {said.total(bytes(fit.total_bytes), bytes(fit.budget_bytes))}{" "}
        {said.parallel(fit.parallel, number(fit.context_tokens))}
      </p>
      <Parts label={said.room} parts={parts} max={Math.max(fit.budget_bytes, fit.total_bytes)} />
    </>
  );
}

/** The lengths to choose from: doubled up to what the model was made for. */
export function contexts(most: number | undefined): number[] {
  const all: number[] = [];
  for (let size = 2048; size < (most ?? 32_768); size *= 2) all.push(size);
  all.push(most ?? 32_768);
  return all;
}
