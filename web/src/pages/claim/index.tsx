// The first visit: the box is compared with what its console shows, and then made somebody's.
import { useState } from "preact/hooks";
import { box, meet } from "../../api/box";
import { ask, Failure } from "../../api/client";
import { Button } from "../../parts/button";
import { Languages, Mark } from "../../parts/entrance";
import { TextField, TickField } from "../../parts/field";
import { Marked } from "../../parts/marked";
import { Notice, reason, say, trying } from "../../parts/notice";
import { useTitle } from "../../parts/page";
import { Spelled } from "../../parts/spelled";
import { words } from "../../words";
import "./claim.css";

interface Draft {
  code: string;
  name: string;
  password: string;
  repeat: string;
  boxName: string;
  share: boolean;
}

const EMPTY: Draft = { code: "", name: "", password: "", repeat: "", boxName: "", share: true };

export default function Claim() {
  const said = words.claim;
  const heading = useTitle(said.title);
  const [compared, setCompared] = useState(false);
  const [draft, setDraft] = useState(EMPTY);
  const [failed, setFailed] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const change = (change: Partial<Draft>): void => setDraft({ ...draft, ...change });
  const field = failed instanceof Failure ? failed.field : undefined;
  const wrong = (name: string): string | undefined => (field === name ? reason(failed) : undefined);
  const different = draft.repeat !== "" && draft.repeat !== draft.password;

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (draft.repeat !== draft.password) return;
    setBusy(true);
    setFailed(undefined);
    try {
      await claim(draft);
      say(said.done);
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
        {said.title}
      </h1>
      <p>{said.intro}</p>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        <section class="card stack">
          <h2>{said.compareTitle}</h2>
          <Spelled id={box.value?.id ?? ""} />
          <p class="small quiet">
            <Marked text={said.compare} />
          </p>
          <details class="small">
            <summary>{said.certificate}</summary>
            <p>
              {said.certificateText} <a href="/trust">{said.trust}</a>
            </p>
          </details>
          <TickField label={said.same} checked={compared} onChecked={setCompared} />
        </section>
        <fieldset class="card stack" disabled={!compared}>
          <TextField
            label={said.code}
            hint={<Marked text={said.codeHint} />}
            error={wrong("code")}
            required
            mono
            autocomplete="one-time-code"
            spellcheck={false}
            value={draft.code}
            onValue={(code) => change({ code })}
          />
          <h2>{said.ownerTitle}</h2>
          <TextField
            label={said.name}
            error={wrong("name")}
            required
            autocomplete="username"
            spellcheck={false}
            value={draft.name}
            onValue={(name) => change({ name })}
          />
          <TextField
            label={said.password}
            hint={said.passwordHint}
            error={wrong("password")}
            required
            type="password"
            autocomplete="new-password"
            value={draft.password}
            onValue={(password) => change({ password })}
          />
          <TextField
            label={said.repeat}
            error={different ? said.different : undefined}
            required
            type="password"
            autocomplete="new-password"
            value={draft.repeat}
            onValue={(repeat) => change({ repeat })}
          />
          <h2>{said.boxTitle}</h2>
          <TextField
            label={said.boxName}
            hint={said.boxNameHint}
            maxLength={40}
            autocomplete="off"
            value={draft.boxName}
            onValue={(boxName) => change({ boxName })}
          />
          <TickField
            label={said.share}
            hint={said.shareHint}
            checked={draft.share}
            onChecked={(share) => change({ share })}
          />
          {failed !== undefined && !["code", "name", "password"].includes(field ?? "") && (
            <Notice kind="bad">{reason(failed)}</Notice>
          )}
          <Button type="submit" kind="main" busy={busy} disabled={!compared}>
            {said.act}
          </Button>
        </fieldset>
      </form>
      <Languages />
    </main>
  );
}

/** The claim itself, and then what the owner wants of the box; that they can mend later if it fails. */
async function claim(draft: Draft): Promise<void> {
  const { code, name, password, boxName, share } = draft;
  await ask("POST", "/claim", { code: code.trim(), name: name.trim(), password });
  const values: Record<string, string> = {};
  if (boxName.trim() !== "") values["name"] = boxName.trim();
  if (!share) values["lan.share"] = "false";
  if (Object.keys(values).length > 0) await trying(() => ask("PUT", "/admin/api/settings", { values }));
  await meet();
}
