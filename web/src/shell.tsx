// The frame round every page: where one can go, who is signed in, light or dark, and the language.
import type { ComponentType } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { box, may, me, meet, type Scope } from "./api/box";
import { ask } from "./api/client";
import { later } from "./later";
import { AtTls } from "./parts/at-tls";
import { IconButton, Button } from "./parts/button";
import { ChoiceField } from "./parts/field";
import { Icon, type IconName } from "./parts/icon";
import { trying } from "./parts/notice";
import { Page } from "./parts/page";
import { Link, place } from "./place";
import { setTheme, theme } from "./theme";
import { LANGUAGES, choose, chosen, words, type Language } from "./words";
import "./shell.css";

type PageName = keyof typeof words.shell.pages;

interface Entry {
  name: PageName;
  path: string;
  icon: IconName;
  needs: Scope;
  /** Whoever signed in has something of their own there. */
  own?: boolean;
  view: ComponentType;
}

/** All pages, and what one must be allowed to see each. */
const PAGES: Entry[] = [
  { name: "chat", path: "/", icon: "chat", needs: "infer", view: later(() => import("./pages/chat")) },
  { name: "models", path: "/models", icon: "model", needs: "models.read", view: later(() => import("./pages/models")) },
  { name: "now", path: "/now", icon: "now", needs: "admin", view: later(() => import("./pages/now")) },
  { name: "keys", path: "/keys", icon: "key", needs: "admin", own: true, view: later(() => import("./pages/keys")) },
  { name: "network", path: "/network", icon: "network", needs: "admin", view: later(() => import("./pages/network")) },
  {
    name: "settings",
    path: "/settings",
    icon: "settings",
    needs: "admin",
    view: later(() => import("./pages/settings")),
  },
  {
    name: "connect",
    path: "/connect",
    icon: "connect",
    needs: "models.read",
    view: later(() => import("./pages/connect")),
  },
  { name: "records", path: "/records", icon: "records", needs: "admin", view: later(() => import("./pages/records")) },
];

/** Whether there is something in it for who is here. */
const seen = (page: Entry): boolean => may(page.needs) || (page.own === true && me.value?.kind === "person");

/** What it is called to them. */
const titled = (page: Entry): string =>
  page.own && !may(page.needs) ? words.shell.account : words.shell.pages[page.name];

/** The page that a path leads to; a conversation is the chat's. */
function pageAt(path: string): Entry | undefined {
  return path === "/chat" || path.startsWith("/chat/") ? PAGES[0] : PAGES.find((page) => page.path === path);
}

export function Shell() {
  const page = pageAt(place.value.path);
  const menu = useRef<HTMLElement>(null);
  // A page that was gone to is not behind the menu.
  useEffect(() => menu.current?.hidePopover?.(), [page]);
  return (
    <div class="shell">
      <a class="skip" href="#content">
        {words.shell.skip}
      </a>
      <header class="bar">
        <MenuButton />
        <strong>{box.value?.name}</strong>
      </header>
      <nav id="menu" ref={menu} popover="auto" aria-label={words.shell.navigation}>
        <Menu current={page} />
      </nav>
      <main id="content" tabIndex={-1}>
        {page ? <View page={page} /> : <NotFound />}
      </main>
    </div>
  );
}

function MenuButton() {
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => button.current?.setAttribute("popovertarget", "menu"), []);
  return <IconButton buttonRef={button} icon="menu" label={words.shell.menu} />;
}

function View({ page }: { page: Entry }) {
  const { view: View } = page;
  if (seen(page)) return <View />;
  return (
    <Page title={titled(page)}>
      <p>{words.shell.onlyOwner}</p>
      <AtTls />
    </Page>
  );
}

function Menu({ current }: { current: Entry | undefined }) {
  return (
    <>
      <p class="name">
        <img src="/icon.svg" alt="" width="28" height="28" />
        <strong>{box.value?.name}</strong>
      </p>
      <ul>
        {PAGES.filter(seen).map((page) => (
          <li key={page.name}>
            <Link to={page.path} current={page === current}>
              <Icon name={page.icon} />
              {titled(page)}
            </Link>
          </li>
        ))}
      </ul>
      <div class="foot stack">
        {!may("admin") && me.value?.kind === "local" && <AtTls />}
        <details class="looks">
          <summary class="small quiet">{words.shell.looks}</summary>
          <div class="stack">
            <ChoiceField
              label={words.shell.appearance}
              value={theme()}
              onValue={setTheme}
              options={[
                { value: "automatic", text: words.shell.automatic },
                { value: "light", text: words.shell.light },
                { value: "dark", text: words.shell.dark },
              ]}
            />
            <ChoiceField
              label={words.shell.language}
              value={chosen()}
              onValue={choose}
              options={Object.entries(LANGUAGES).map(([value, text]) => ({ value: value as Language, text }))}
            />
          </div>
        </details>
        {me.value?.kind === "person" && <SignOut name={me.value.name} />}
        {box.value?.short && <p class="small quiet mono">{box.value.short}</p>}
      </div>
    </>
  );
}

function SignOut({ name }: { name: string }) {
  const act = (): void =>
    void trying(async () => {
      await ask("POST", "/admin/api/logout", {});
      await meet();
    });
  return (
    <div class="row apart">
      <span class="small quiet">{words.shell.signedInAs(name)}</span>
      <Button kind="bare" icon="out" onClick={act}>
        {words.shell.signOut}
      </Button>
    </div>
  );
}

function NotFound() {
  return (
    <Page title={words.shell.notFound}>
      <p>
        <Link to="/">{words.shell.toChat}</Link>
      </p>
    </Page>
  );
}
