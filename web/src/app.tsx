// What is before the reader: the claim, signing in, or the shell with a page in it.
import { effect } from "@preact/signals";
import { box, meet } from "./api/box";
import { epoch, reachable } from "./api/client";
import { later } from "./later";
import { AtTls } from "./parts/at-tls";
import { Notice, Toasts } from "./parts/notice";
import { Questions } from "./parts/confirm";
import { Shell } from "./shell";
import { words } from "./words";

const Claim = later(() => import("./pages/claim"));
const SignIn = later(() => import("./pages/signin"));

// A box that is back may be another than before: claimed, renamed, or with us signed out.
let met = 0;
effect(() => {
  if (epoch.value === met) return;
  met = epoch.value;
  void meet().catch(() => undefined);
});

export function App() {
  return (
    <>
      {!reachable.value && (
        <div class="reconnecting">
          <Notice kind="warning">{words.shell.reconnecting}</Notice>
        </div>
      )}
      <Before />
      <Questions />
      <Toasts />
    </>
  );
}

function Before() {
  const known = box.value;
  if (!known) return <main class="page" aria-busy="true" />;
  if (!known.claimed && known.way === "network") return <Claim />;
  if (!known.me) return known.way === "network" ? <SignIn /> : <Elsewhere />;
  return <Shell />;
}

/** By a way on which whoever presents nothing is nobody, and no session counts. */
function Elsewhere() {
  return (
    <main class="page">
      <h1>{box.value?.name}</h1>
      <AtTls />
    </main>
  );
}
