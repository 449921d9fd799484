// Signing in, by name and password.
import { useState } from "preact/hooks";
import { box, meet } from "../../api/box";
import { ask } from "../../api/client";
import { Button } from "../../parts/button";
import { Languages, Mark } from "../../parts/entrance";
import { TextField } from "../../parts/field";
import { Marked } from "../../parts/marked";
import { Notice, reason } from "../../parts/notice";
import { useTitle } from "../../parts/page";
import { words } from "../../words";
import "../claim/claim.css";

export default function SignIn() {
  const said = words.claim;
  const title = said.signInTitle(box.value?.name ?? "Hob");
  const heading = useTitle(title);
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [failed, setFailed] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setFailed(undefined);
    try {
      await ask("POST", "/admin/api/login", { name: name.trim(), password });
      await meet();
    } catch (error) {
      setFailed(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <main class="entrance">
      <Mark />
      <h1 ref={heading} tabIndex={-1}>
        {title}
      </h1>
      <form class="card stack" onSubmit={(event) => void submit(event)}>
        <TextField
          label={said.name}
          required
          autocomplete="username"
          spellcheck={false}
          value={name}
          onValue={setName}
        />
        <TextField
          label={said.password}
          required
          type="password"
          autocomplete="current-password"
          value={password}
          onValue={setPassword}
        />
        {failed !== undefined && <Notice kind="bad">{reason(failed)}</Notice>}
        <Button type="submit" kind="main" busy={busy}>
          {said.signIn}
        </Button>
      </form>
      <p class="small quiet">
        <Marked text={said.forgotten} />
      </p>
      {box.value?.short && (
        <p class="small quiet">
          {said.device} <span class="mono">{box.value.short}</span> · <a href="/trust">{said.trust}</a>
        </p>
      )}
      <Languages />
    </main>
  );
}
