// One's own password. Whoever has none, as on the box itself, is told where it is changed.
import { useState } from "preact/hooks";
import { changePassword } from "../../api/people";
import { Button } from "../../parts/button";
import { TextField } from "../../parts/field";
import { FormError, signedIn, useForm } from "../../parts/form";
import { say } from "../../parts/notice";
import { me } from "../../api/box";
import { words } from "../../words";

const EMPTY = { confirm: "", password: "", repeat: "" };

export function OwnAccount() {
  const said = words.keys;
  const [draft, setDraft] = useState(EMPTY);
  const form = useForm("confirm", "password");
  const change = (change: Partial<typeof EMPTY>): void => setDraft({ ...draft, ...change });
  const different = draft.repeat !== "" && draft.repeat !== draft.password;
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (draft.repeat !== draft.password) return;
    const done = await form.send(() => changePassword({ confirm: draft.confirm, password: draft.password }));
    if (!done) return;
    setDraft(EMPTY);
    say(said.changed);
  };
  return (
    <section class="stack">
      <h2>{said.myPassword}</h2>
      {!signedIn() ? (
        <p class="quiet">{said.noPassword}</p>
      ) : (
        <form class="card stack narrow" onSubmit={(event) => void submit(event)}>
          <p class="small quiet">{said.myPasswordText}</p>
          <input type="text" autocomplete="username" value={me.value?.name} hidden readOnly />
          <TextField
            label={said.current}
            error={form.wrong("confirm")}
            required
            type="password"
            autocomplete="current-password"
            value={draft.confirm}
            onValue={(confirm) => change({ confirm })}
          />
          <TextField
            label={said.next}
            hint={said.nextHint}
            error={form.wrong("password")}
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
          <FormError of={form} />
          <div>
            <Button type="submit" kind="main" busy={form.busy}>
              {said.change}
            </Button>
          </div>
        </form>
      )}
    </section>
  );
}
