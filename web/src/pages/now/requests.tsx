// The requests that the box has: whose, for what, how far, and stopping one.
import { useEffect } from "preact/hooks";
import { KEYS, type Key } from "../../api/keys";
import type { Now, NowRequest } from "../../api/now";
import { number, span } from "../../format";
import { useAsked } from "../../parts/asked";
import { Button } from "../../parts/button";
import { confirm } from "../../parts/confirm";
import { say } from "../../parts/notice";
import { Table } from "../../parts/table";
import { words } from "../../words";

export function Requests({ now, stop }: { now: Now; stop: (id: string) => Promise<void> }) {
  const said = words.now;
  const named = useNames(now.requests);
  const age = ({ since }: NowRequest): string =>
    span(Math.max(Math.round((Date.parse(now.at) - Date.parse(since)) / 1000), 0));
  return (
    <section class="stack">
      <h2>{said.requests}</h2>
      <Table
        caption={said.requests}
        rows={now.requests}
        rowKey={(request) => request.id}
        empty={said.noRequests}
        columns={[
          { title: said.who, heading: true, cell: ({ who }) => named(who) },
          { title: said.kind, cell: ({ kind }) => said.kinds[kind] ?? kind },
          { title: said.model, cell: ({ model }) => model },
          { title: said.state, cell: state },
          { title: said.since, figure: true, cell: age },
          { title: said.tokens, figure: true, cell: tokens },
          { title: said.rate, figure: true, cell: ({ rate }) => rate > 0 && said.perSecond(number(rate, 1)) },
          {
            title: said.actions,
            unseen: true,
            cell: (request) => <Stop request={request} who={named(request.who)} stop={stop} />,
          },
        ]}
      />
    </section>
  );
}

/** What people call who asks: a key is known by its name here, by its id there. */
function useNames(requests: NowRequest[]): (who: string) => string {
  const keys = useAsked<{ keys: Key[] }>(KEYS);
  const known = (who: string) => words.now.whos[who] ?? keys.value?.keys.find((key) => key.id === who)?.name;
  const unknown = requests.map((request) => request.who).filter((who) => known(who) === undefined);
  // A key that is new since.
  useEffect(() => {
    if (unknown.length > 0 && keys.value) keys.again();
  }, [unknown.join()]);
  return (who) => known(who) ?? who;
}

function state({ state, peer }: NowRequest): string {
  return state === "passed" && peer ? words.now.passedTo(peer) : words.now.requestStates[state];
}

function tokens({ prompt_tokens: prompt, prompt_read: read, tokens, state }: NowRequest): string {
  if (prompt === undefined) return tokens > 0 ? number(tokens) : "";
  const asked = state === "prompt" && read !== undefined ? `${number(read)}/${number(prompt)}` : number(prompt);
  return words.now.tokensOf(asked, number(tokens));
}

function Stop({ request, who, stop }: { request: NowRequest; who: string; stop: (id: string) => Promise<void> }) {
  const said = words.now;
  const act = (): void =>
    confirm({
      title: said.stopTitle,
      text: said.stopText(who, request.model),
      act: said.stop,
      danger: true,
      does: async () => {
        await stop(request.id);
        say(said.stopped);
      },
    });
  return (
    <Button kind="danger" icon="stop" onClick={act}>
      {said.stop} <span class="unseen">{who}</span>
    </Button>
  );
}
