// An invitation: its code, what the other box needs besides, and how long it is good for. It is kept here alone, as the box tells it once.
import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { invite, withdraw, type Invitation } from "../../api/network";
import { box } from "../../api/box";
import { Failure } from "../../api/client";
import { span } from "../../format";
import { Button } from "../../parts/button";
import { CopyButton, Copyable } from "../../parts/copy";
import { Dialog } from "../../parts/dialog";
import { FormError, OwnPassword, confirmation, useForm } from "../../parts/form";
import { say, trying } from "../../parts/notice";
import { Spelled } from "../../parts/spelled";
import { words } from "../../words";
import { ScopesField, USUAL } from "./scopes";

/** The one that was made last, while it is good. */
export const invitation = signal<Invitation | undefined>(undefined);

export function Invite({ lends, onClose }: { lends: boolean; onClose: () => void }) {
  const said = words.network;
  const [scopes, setScopes] = useState(USUAL);
  const [own, setOwn] = useState("");
  const form = useForm("scopes", "confirm");
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const make = async (): Promise<void> => {
      invitation.value = await invite({ scopes: [...scopes], ...confirmation(own) });
      say(said.invited);
    };
    if (await form.send(make)) onClose();
  };
  return (
    <Dialog title={said.inviteTitle} onClose={onClose}>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        <p>{said.inviteText}</p>
        <ScopesField
          label={said.inviteMay}
          lends={lends}
          error={form.wrong("scopes")}
          scopes={scopes}
          onScopes={setScopes}
        />
        <OwnPassword form={form} value={own} onValue={setOwn} />
        <FormError of={form} />
        <div class="ends">
          <Button onClick={onClose}>{words.shell.cancel}</Button>
          <Button type="submit" kind="main" busy={form.busy} disabled={scopes.length === 0}>
            {said.inviteAct}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

export function InvitationCard() {
  const open = invitation.value;
  return open ? <Open key={open.code} of={open} /> : null;
}

function Open({ of: open }: { of: Invitation }) {
  const said = words.network;
  const left = useSecondsUntil(open.expires);
  useEffect(() => {
    if (left > 0) return;
    invitation.value = undefined;
    say(said.ranOut, "note");
  }, [left <= 0]);
  const address =
    open.addresses.find((address) => address.includes(open.label)) ?? open.addresses[0] ?? `${open.label}.local`;
  return (
    <div class="card stack invitation">
      <div class="row apart">
        <h3>{said.invitation}</h3>
        <span class="quiet" role="timer">
          {said.left(span(Math.max(left, 0)))}
        </span>
      </div>
      <div class="row">
        <span class="code mono">{open.code}</span>
        <CopyButton text={open.code} label={said.copyCode} />
      </div>
      <dl class="facts">
        <dt>{said.ourAddress}</dt>
        <dd class="mono">{address}</dd>
        <dt>{said.ourId}</dt>
        <dd>
          <Spelled id={open.id} />
        </dd>
      </dl>
      <p class="small">{said.invitationText}</p>
      <Copyable
        text={`hob pair ${address} --code ${open.code} --id ${box.value?.short ?? open.id}`}
        label={said.copyCommand}
      />
      <div>
        <Button onClick={() => void takeBack()}>{said.withdraw}</Button>
      </div>
    </div>
  );
}

async function takeBack(): Promise<void> {
  await trying(async () => {
    // One that was used, or ran out, is there no more.
    await withdraw().catch((error: unknown) => {
      if (!(error instanceof Failure && error.status === 409)) throw error;
    });
    invitation.value = undefined;
    say(words.network.withdrawn);
  });
}

/** Whole seconds until then, by this device's clock, counted down. */
function useSecondsUntil(at: string): number {
  const left = (): number => Math.round((Date.parse(at) - Date.now()) / 1000);
  const [seconds, setSeconds] = useState(left);
  useEffect(() => {
    const tick = setInterval(() => setSeconds(left()), 1000);
    return () => clearInterval(tick);
  }, [at]);
  return seconds;
}
