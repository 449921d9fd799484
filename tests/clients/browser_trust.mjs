// A browser of the network, with the box's root imported as a person would: it trusts the box, a person signs in, and a
// foreign page gets nowhere, though the browser knows that person's session.
//
// Arguments: folder of packages, base URL, home whose certificate store knows the root, one that does not, name, password, device ID.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { installed, url } from "./installed.mjs";

const [trusting, strange, name, password, device] = process.argv.slice(4);
const { chromium } = installed("playwright-core");

const start = (home) =>
  chromium.launch({
    executablePath: "/usr/bin/chromium",
    // The sandbox of the browser itself is not for root.
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic"],
    env: { ...process.env, HOME: home },
  });

const stranger = await start(strange);
await assert.rejects((await stranger.newPage()).goto(`${url}/trust`), /ERR_CERT_AUTHORITY_INVALID/);
await stranger.close();

const browser = await start(trusting);
const context = await browser.newContext();
const page = await context.newPage();
const trust = await page.goto(`${url}/trust`);
assert.equal(trust.status(), 200);
assert.match(await page.content(), new RegExp(device));
assert.equal((await trust.securityDetails()).protocol, "TLS 1.3");
assert.match(trust.headers()["content-security-policy"], /default-src 'none'|default-src 'self'/);

// A page of the box from which it may be asked: what shows the root may ask for nothing.
await assert.rejects(page.evaluate(() => fetch("/healthz")), /Failed to fetch/);
await page.goto(`${url}/healthz`);

const ask = (page, method, path, body) =>
  page.evaluate(
    async ([method, path, body]) => {
      const headers = { "Content-Type": "application/json" };
      const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
      return [response.status, await response.text()];
    },
    [method, path, body],
  );

const signedIn = await ask(page, "POST", "/admin/api/login", { name, password });
assert.equal(signedIn[0], 200, signedIn[1]);
const [cookie] = await context.cookies(url);
assert.equal(cookie.name, "__Host-hob");
assert.ok(cookie.secure && cookie.httpOnly && cookie.sameSite === "Strict" && cookie.path === "/");
assert.equal(await page.evaluate(() => document.cookie), "");
assert.equal((await ask(page, "GET", "/admin/api/me"))[0], 200);
const unconfirmed = await ask(page, "POST", "/admin/api/keys", { name: "unconfirmed", scopes: ["infer"] });
assert.equal(unconfirmed[0], 400, unconfirmed[1]);
const guessed = await ask(page, "POST", "/admin/api/keys", { name: "guessed", scopes: ["infer"], confirm: "not the password" });
assert.ok([401, 403].includes(guessed[0]), guessed[1]);
const made = await ask(page, "POST", "/admin/api/keys", { name: "page", scopes: ["infer"], confirm: password });
assert.equal(made[0], 201, made[1]);

// A page from elsewhere, on the same machine as the browser.
const elsewhere = createServer((_, answer) => {
  answer.setHeader("Content-Type", "text/html");
  answer.end("<!doctype html><title>elsewhere</title><iframe name=into></iframe>");
});
await new Promise((listening) => elsewhere.listen(0, "127.0.0.1", listening));
const foreign = await context.newPage();
await foreign.goto(`http://127.0.0.1:${elsewhere.address().port}/`);
const forged = JSON.stringify({ name: "forged", scopes: ["admin"], confirm: password });
for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/json"]) {
  await foreign.evaluate(
    ([to, body, type]) =>
      fetch(to, { method: "POST", mode: "no-cors", credentials: "include", headers: { "Content-Type": type }, body }).catch(() => {}),
    [`${url}/admin/api/keys`, forged, type],
  );
}
const form = foreign.waitForResponse(`${url}/admin/api/keys`);
await foreign.evaluate(
  ([to, body]) => {
    const form = Object.assign(document.createElement("form"), { action: to, method: "POST", enctype: "text/plain", target: "into" });
    form.append(Object.assign(document.createElement("input"), { name: body.slice(0, -1) + ',"x":"', value: '"}' }));
    document.body.append(form);
    form.submit();
  },
  [`${url}/admin/api/keys`, forged],
);
assert.ok([401, 403].includes((await form).status()));
const reads = (to) => foreign.evaluate((to) => fetch(to, { credentials: "include" }).then((answer) => answer.text()).catch(() => null), to);
assert.equal(await reads(`${url}/admin/api/keys`), null);
const { keys } = JSON.parse((await ask(page, "GET", "/admin/api/keys"))[1]);
assert.deepEqual(keys.map((key) => key.name).sort(), ["admin, by hob claim", "page"]);

assert.equal((await ask(page, "POST", "/admin/api/logout"))[0], 200);
assert.equal((await ask(page, "GET", "/admin/api/keys"))[0], 401);
await browser.close();
elsewhere.close();
