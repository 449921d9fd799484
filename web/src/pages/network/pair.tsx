// Pairing with a box that has invited this one: where it is, who it is, and the code that it shows.
import { useState } from "preact/hooks";
import { pair, type NewPeer } from "../../api/network";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { TextField } from "../../parts/field";
import { FormError, OwnPassword, confirmation, useForm } from "../../parts/form";
import { Notice } from "../../parts/notice";
import { words } from "../../words";
import { ScopesField, USUAL, named } from "./scopes";

interface PairProps {
  /** Where it is, if it was seen. */
  address: string;
  lends: boolean;
  onClose: () => void;
  onPaired: () => void;
}

export function Pair(props: PairProps) {
  const [made, setMade] = useState<NewPeer>();
  const paired = (peer: NewPeer): void => {
    setMade(peer);
    props.onPaired();
  };
  return made ? <Made made={made} onClose={props.onClose} /> : <Ask {...props} onMade={paired} />;
}

function Ask({ address, lends, onClose, onMade }: PairProps & { onMade: (made: NewPeer) => void }) {
  const said = words.network;
  // The ID is the other box's to show: what was heard of it on the network anybody can say.
  const [draft, setDraft] = useState({ address, code: "", id: "", name: "", scopes: USUAL, password: "" });
  const form = useForm("address", "code", "id", "name", "scopes", "confirm");
  const change = (change: Partial<typeof draft>): void => setDraft({ ...draft, ...change });
  const submit = (event: Event): void => {
    event.preventDefault();
    const { address, code, id, scopes, name, password } = draft;
    const wanted = {
      address: address.trim(),
      code: code.trim(),
      id: id.trim(),
      scopes: [...scopes],
      ...(name.trim() !== "" && { name: name.trim() }),
      ...confirmation(password),
    };
    void form.send(async () => onMade(await pair(wanted)));
  };
  return (
    <Dialog title={said.pairTitle} onClose={onClose}>
      <form class="stack" onSubmit={submit}>
        <p>{said.pairText}</p>
        <TextField
          label={said.pairAddress}
          hint={said.pairAddressHint}
          error={form.wrong("address")}
          required
          mono
          autocomplete="off"
          spellcheck={false}
          value={draft.address}
          onValue={(address) => change({ address })}
        />
        <TextField
          label={said.code}
          error={form.wrong("code")}
          required
          mono
          autocomplete="one-time-code"
          spellcheck={false}
          value={draft.code}
          onValue={(code) => change({ code })}
        />
        <TextField
          label={said.theirId}
          hint={said.theirIdHint}
          error={form.wrong("id")}
          required
          mono
          autocomplete="off"
          spellcheck={false}
          value={draft.id}
          onValue={(id) => change({ id })}
        />
        <ScopesField
          label={said.gives}
          lends={lends}
          error={form.wrong("scopes")}
          scopes={draft.scopes}
          onScopes={(scopes) => change({ scopes })}
        />
        <TextField
          label={said.callIt}
          hint={said.callItHint}
          error={form.wrong("name")}
          autocomplete="off"
          spellcheck={false}
          value={draft.name}
          onValue={(name) => change({ name })}
        />
        <OwnPassword form={form} value={draft.password} onValue={(password) => change({ password })} />
        <FormError of={form} />
        <div class="ends">
          <Button onClick={onClose}>{words.shell.cancel}</Button>
          <Button type="submit" kind="main" busy={form.busy} disabled={draft.scopes.length === 0}>
            {said.pairAct}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function Made({ made, onClose }: { made: NewPeer; onClose: () => void }) {
  const said = words.network;
  return (
    <Dialog title={said.paired(made.name)} onClose={onClose}>
      <p>
        {said.weMay}: {named(made.scopes)}
      </p>
      {made.granted && (
        <p>
          {said.theyMay}: {named(made.granted)}
        </p>
      )}
      {made.one_way !== undefined && (
        <Notice kind="warning">
          {said.oneWay} {made.one_way}
        </Notice>
      )}
      <div class="ends">
        <Button kind="main" onClick={onClose}>
          {said.done}
        </Button>
      </div>
    </Dialog>
  );
}
