// The list of conversations: found, gone to, and what is done with each.
import { useEffect, useRef, useState } from "preact/hooks";
import { EXPORT, removeAll, type Listed } from "../../api/conversations";
import { Button } from "../../parts/button";
import { confirm } from "../../parts/confirm";
import { TextField } from "../../parts/field";
import { Menu } from "../../parts/menu";
import { go } from "../../place";
import { words } from "../../words";
import { conversations, failed, more, next, period, refreshList, search, type Period } from "./listing";
import { forgetAll } from "./open";
import { Row } from "./row";
import "./list.css";

/** After the last letter, before the box is asked. */
const TYPING_MS = 250;

export function ListOfConversations({ current, onGo }: { current: string | undefined; onGo: () => void }) {
  const said = words.chat;
  const known = conversations.value;
  const searched = useSearch();
  const begin = (): void => {
    onGo();
    go("/");
  };
  return (
    <>
      <div class="top">
        <Button icon="plus" onClick={begin}>
          {said.begin}
        </Button>
        <Menu
          label={said.allActions}
          choices={[
            { text: said.exportAll, icon: "download", act: exportAll },
            { text: said.removeAll, icon: "trash", danger: true, act: removeEvery },
          ]}
        />
      </div>
      <TextField
        label={said.search}
        unseen
        type="search"
        placeholder={said.search}
        maxLength={200}
        value={search.value}
        onValue={searched}
      />
      {failed.value !== undefined && (
        <p class="small wrong" role="alert">
          {failed.value}{" "}
          <button type="button" class="inline" onClick={() => void refreshList()}>
            {words.shell.again}
          </button>
        </p>
      )}
      <nav aria-label={said.conversations} aria-busy={known === undefined}>
        {known?.length === 0 && (
          <p class="small quiet">{search.value === "" ? said.none : said.nothingFound(search.value)}</p>
        )}
        {groups(known ?? []).map(([when, rows]) => (
          <section key={when}>
            <h2>{said[when]}</h2>
            <ul>
              {rows.map((row) => (
                <Row key={row.id} row={row} current={row.id === current} onGo={onGo} />
              ))}
            </ul>
          </section>
        ))}
        {next.value !== undefined && <More />}
      </nav>
    </>
  );
}

function useSearch(): (text: string) => void {
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  return (text) => {
    search.value = text;
    clearTimeout(timer.current);
    timer.current = setTimeout(() => void refreshList(), TYPING_MS);
  };
}

function groups(rows: readonly Listed[]): [Period, Listed[]][] {
  const now = new Date();
  const found = new Map<Period, Listed[]>();
  for (const row of rows) {
    const when = period(row.updated, now);
    found.set(when, [...(found.get(when) ?? []), row]);
  }
  return [...found];
}

/** The end of what was fetched: coming near it fetches more. */
function More() {
  const end = useRef<HTMLDivElement>(null);
  const [asked, setAsked] = useState(false);
  useEffect(() => {
    if (!end.current) return;
    const near = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) void more();
    });
    near.observe(end.current);
    return () => near.disconnect();
  }, []);
  const act = (): void => {
    setAsked(true);
    void more();
  };
  return (
    <div ref={end}>
      <Button kind="bare" busy={asked} onClick={act}>
        {words.chat.more}
      </Button>
    </div>
  );
}

function exportAll(): void {
  const link = document.createElement("a");
  link.href = EXPORT;
  link.download = "";
  link.click();
}

function removeEvery(): void {
  confirm({
    title: words.chat.removeAllTitle,
    text: words.chat.removeAllText,
    act: words.chat.removeAll,
    danger: true,
    does: async () => {
      await removeAll();
      forgetAll();
    },
  });
}
