// How the box is reached, by what it is known, and the boxes beside it.
import { STATUS, type Status } from "../../api/network";
import { SETTINGS, type Settings } from "../../api/settings";
import { useAsked } from "../../parts/asked";
import { Copyable } from "../../parts/copy";
import { Notice } from "../../parts/notice";
import { Loaded, Page } from "../../parts/page";
import { Spelled } from "../../parts/spelled";
import { CopyButton } from "../../parts/copy";
import { Link } from "../../place";
import { words } from "../../words";
import { CertificateCard } from "./certificate";
import { Others } from "./others";
import "./network.css";

export default function Network() {
  const status = useAsked<Status>(STATUS);
  const settings = useAsked<Settings>(SETTINGS);
  const valueOf = (name: string) => settings.value?.settings.find((setting) => setting.name === name);
  return (
    <Page title={words.shell.pages.network}>
      <Loaded of={status}>
        {({ addresses, device }) => (
          <>
            <ThisBox addresses={addresses} device={device} />
            {device && <CertificateCard of={device.certificate} files={valueOf("tls.cert")} again={status.again} />}
          </>
        )}
      </Loaded>
      <Others valueOf={valueOf} />
    </Page>
  );
}

function ThisBox({ addresses, device }: Pick<Status, "addresses" | "device">) {
  const said = words.network;
  return (
    <section class="card stack" aria-labelledby="this-box">
      <h2 id="this-box">{said.thisBox}</h2>
      {!device && (
        <Notice kind="note">
          {said.notServed} <Link to="/settings?find=lan.open">{said.toNetworkSettings}</Link>
        </Notice>
      )}
      <h3>{said.addresses}</h3>
      <ul class="addresses">
        {addresses.map((address) => (
          <li key={address}>
            <Copyable text={address} label={said.copyAddress} />
          </li>
        ))}
      </ul>
      {device && (
        <>
          <h3>{said.id}</h3>
          <p class="small quiet">{said.idText}</p>
          <div class="row">
            <Spelled id={device.id} />
            <CopyButton text={device.id} label={said.copyId} />
          </div>
          <p class="small">
            <a href="/trust">{said.trust}</a> <span class="quiet">{said.trustText}</span>
          </p>
          <p class="small">
            <a href="/trust/root.crt" download={`${device.label}.crt`}>
              {said.root}
            </a>
          </p>
        </>
      )}
    </section>
  );
}
