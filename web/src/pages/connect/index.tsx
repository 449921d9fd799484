// Programs that use the box: where it is, a key, a model, and what to enter, ready to be copied.
import { useState } from "preact/hooks";
import { box, may } from "../../api/box";
import { MODELS, type Model } from "../../api/models";
import { STATUS, type Status } from "../../api/network";
import { useAsked } from "../../parts/asked";
import { Button } from "../../parts/button";
import { Copyable } from "../../parts/copy";
import { ChoiceField } from "../../parts/field";
import { Page } from "../../parts/page";

import { Link } from "../../place";
import { words } from "../../words";
import { addresses, isLocal, isTls } from "./addresses";
import { CLIENTS, examples, trusting, type Filling } from "./examples";
import { MakeKey } from "./key";
import { Programs } from "./programs";
import { Trust } from "./trust";
import "./connect.css";

export default function Connect() {
  const said = words.connect;
  const status = useAsked<Status>(may("admin") ? STATUS : undefined).value;
  const models = useAsked<{ models: Model[] }>(MODELS).value?.models;
  const talking = (models ?? []).filter((model) => model.capabilities.includes("completion"));
  const plain = status?.addresses.filter((each) => !isTls(each)) ?? [];
  const there = addresses(location.origin, box.value?.https ?? [], plain);
  const [address, setAddress] = useState(there[0]!);
  const [chosen, setChosen] = useState<string>();
  const [client, setClient] = useState("curl");
  const [key, setKey] = useState<string>();
  const model = chosen ?? talking[0]?.name ?? said.modelPlaceholder;
  const local = isLocal(address);
  // A certificate of the owner's own is of an authority that programs know.
  const root =
    !isTls(address) || status?.device?.certificate.source === "own" ? undefined : `${box.value?.label ?? "hob"}.pem`;
  const filling: Filling = { address, model, key: key ?? (local ? "hob" : said.placeholder), root };
  return (
    <Page title={words.shell.pages.connect}>
      <p>{said.intro}</p>
      <section class="card chosen">
        <ChoiceField
          label={said.address}
          hint={local ? said.localHint : said.addressHint}
          value={address}
          onValue={setAddress}
          options={there.map((value) => ({ value, text: value }))}
        />
        {talking.length > 0 ? (
          <ChoiceField
            label={said.model}
            value={model}
            onValue={setChosen}
            options={talking.map(({ name }) => ({ value: name, text: name }))}
          />
        ) : (
          models && (
            <p>
              {said.noModel} <Link to="/models">{said.toModels}</Link>
            </p>
          )
        )}
        <Key local={local} made={key} client={CLIENTS[client] ?? client} onMade={setKey} />
      </section>
      {root && <Trust root={root} />}
      <Programs
        label={said.clients}
        tabs={Object.entries(CLIENTS).map(([value, text]) => ({ value, text }))}
        value={client}
        onValue={setClient}
      >
        <Shown client={client} filling={filling} />
      </Programs>
    </Page>
  );
}

interface KeyProps {
  local: boolean;
  made: string | undefined;
  client: string;
  onMade: (key: string) => void;
}

function Key({ local, made, client, onMade }: KeyProps) {
  const said = words.connect;
  const [making, setMaking] = useState(false);
  const close = (): void => setMaking(false);
  if (local) return <Said title={said.key}>{said.keyNotNeeded}</Said>;
  if (made !== undefined) {
    return (
      <div class="key">
        <h2>{said.key}</h2>
        <Copyable text={made} label={said.keyCopy} />
        <p class="hint" role="status">
          {said.keyHere}
        </p>
      </div>
    );
  }
  if (!may("admin")) return <Said title={said.key}>{`${said.keyAsk} ${said.keyOther}`}</Said>;
  return (
    <div class="key">
      <h2>{said.key}</h2>
      <Button kind="main" icon="key" onClick={() => setMaking(true)}>
        {said.makeKey}
      </Button>
      <p class="hint">{said.keyOther}</p>
      {making && (
        <MakeKey
          name={client}
          onClose={close}
          onMade={(key) => {
            onMade(key);
            close();
          }}
        />
      )}
    </div>
  );
}

function Said({ title, children }: { title: string; children: string }) {
  return (
    <div class="key">
      <h2>{title}</h2>
      <p class="small">{children}</p>
    </div>
  );
}

function Shown({ client, filling }: { client: string; filling: Filling }) {
  const said = words.connect;
  const shown = examples(client, filling);
  const installs = [...new Set(shown.map((example) => example.install).filter((install) => install !== undefined))];
  const trust = trusting(client, filling);
  return (
    <>
      {said.steps[client] && <p>{said.steps[client]}</p>}
      {trust && (
        <div class="example">
          <h2>{said.trust}</h2>
          <Copyable text={trust} label={said.copyExample(said.trust)} />
          {client === "python" && <p class="hint">{said.trustOnly}</p>}
        </div>
      )}
      {shown.map(({ title, text }) => (
        <div key={title} class="example">
          <h2>{title}</h2>
          <Copyable text={text} label={said.copyExample(title)} />
          {client === "home-assistant" && title === "docker" && <p class="hint">{said.homeTrust}</p>}
        </div>
      ))}
      {installs.length > 0 && (
        <p class="small quiet">
          {said.install}{" "}
          {installs.map((install) => (
            <code key={install}>{install} </code>
          ))}
        </p>
      )}
    </>
  );
}
