// What the cases of the contract do not say: many callers, cancelling, printing, fetch. The stub
// answers connections good-..., slow-..., dying-... and failing-... as test/clients says.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { inspect } from "node:util";
import { serialize } from "node:v8";

import * as module from "reltio-tokens";
import { createFetch, Token, TokenError, Tokens } from "reltio-tokens";

const stub = process.env.AWS_ENDPOINT_URL_LAMBDA;
const hosts = [new URL(stub).host, "127.0.0.1:9"]; // nothing listens at the second
const invocations = async (connection) => (await fetch(`${stub}/count?connection=${connection}`)).json();
const shownOf = (value) => [inspect(value, { showHidden: true, depth: 20 }), JSON.stringify(value), String(value?.stack ?? value)].join();

test("import and require give the same classes", () => {
  const required = createRequire(import.meta.url)("reltio-tokens");
  assert.deepEqual(Object.keys(module).sort(), Object.keys(required).sort());
  for (const name of Object.keys(required)) assert.equal(module[name], required[name]);
});

test("callers share an invocation", async () => {
  const tokens = new Tokens("slow-callers");
  const got = await Promise.all(Array.from({ length: 1000 }, () => tokens.get()));
  assert.equal(new Set(got.map((t) => t.fingerprint)).size, 1);
  assert.equal(await invocations("slow-callers"), 1);
});

test("a caller that gives up harms no other", async () => {
  const tokens = new Tokens("slow-aborted");
  const stop = new AbortController();
  const first = tokens.get({ signal: stop.signal });
  const other = tokens.get();
  const reason = new Error("no longer wanted");
  stop.abort(reason);
  await assert.rejects(first, reason);
  assert.match((await other).fingerprint, /^sha256:/);
  assert.equal(await invocations("slow-aborted"), 1);
  await assert.rejects(tokens.get({ signal: AbortSignal.abort(reason) }), reason);
});

test("a caller that waits for an error to pass can give up", async () => {
  const tokens = new Tokens("failing-ReltioUnavailable");
  const began = performance.now();
  await assert.rejects(tokens.get({ signal: AbortSignal.timeout(300) }), { name: "TimeoutError" });
  assert.ok(performance.now() - began < 3000);
});

test("nothing that is printed shows the token", async () => {
  const tokens = new Tokens("good-printing");
  const token = await tokens.get();
  const shown = shownOf(token) + shownOf(tokens) + serialize({ ...token }).toString("latin1");
  assert.ok(token instanceof Token && token.accessToken.startsWith("token-of-"));
  assert.ok(!shown.includes("token-of-") && shown.includes("sha256:"));
});

test("each caller gets its own error, which shows no session token", async () => {
  for (const via of ["lambda", "extension"]) {
    const tokens = new Tokens("failing-ReauthorizationRequired", { via });
    const [a, b] = await Promise.all([1, 2].map(() => tokens.get().catch((e) => e)));
    assert.ok(a instanceof TokenError && a !== b && a.name === "ReauthorizationRequired" && a.message === "what is wrong");
    assert.ok(!shownOf(a).includes(process.env.AWS_SESSION_TOKEN));
  }
  const refused = await new Tokens("no-such").get().catch((e) => e);
  assert.equal(refused.type, "InvalidRequest");
  assert.ok(!shownOf(refused).includes(process.env.AWS_SESSION_TOKEN));
});

test("the extension is gone", async () => {
  const port = process.env.RELTIO_TOKENS_PORT;
  process.env.RELTIO_TOKENS_PORT = "9";
  const gone = await new Tokens("good-gone", { via: "extension", maxRetryWait: 0 }).get().catch((e) => e);
  process.env.RELTIO_TOKENS_PORT = port;
  assert.equal(gone.type, "StoreUnavailable");
});

test("fetch: a refused token is replaced once", async () => {
  const reltio = createFetch(new Tokens("dying-fetch"), { hosts });
  assert.equal((await reltio(`${stub}/api/entities`, { method: "POST", body: "[]" })).status, 200);
  const asked = createFetch(new Tokens("dying-request"), { hosts });
  assert.equal((await asked(new URL(`${stub}/api/entities`))).status, 200);
});

test("fetch: a body that is used up is not sent again", async () => {
  const reltio = createFetch(new Tokens("dying-stream"), { hosts });
  const body = new ReadableStream({
    start(to) {
      to.enqueue(Buffer.from("[]"));
      to.close();
    },
  });
  assert.equal((await reltio(`${stub}/api/entities`, { method: "POST", body, duplex: "half" })).status, 401);
});

test("fetch: a 401 that stays, and a redirect to another host", async () => {
  const reltio = createFetch(new Tokens("good-fetch"), { hosts });
  assert.equal((await reltio(`${stub}/api/refused`)).status, 401);
  assert.equal((await reltio(`${stub}/api/redirect`)).status, 204);
});

test("fetch: other hosts get nothing", async () => {
  const reltio = createFetch(new Tokens("good-hosts"));
  for (const url of ["http://example.com/", "https://evilreltio.com/", "https://reltio.com/", "http://prod.reltio.com/", "https://a@b.com/", stub]) {
    await assert.rejects(reltio(url), TypeError, url);
  }
});

test("fetch: a failure shows no token", async () => {
  const reltio = createFetch(new Tokens("good-broken"), { hosts });
  for (const url of [`${stub}/api/reset`, "http://127.0.0.1:9/"]) {
    const failed = await reltio(url).catch((e) => e);
    assert.ok(failed instanceof Error && !shownOf(failed).includes("token-of-"));
  }
});

test("without credentials", async () => {
  const { AWS_ACCESS_KEY_ID: key } = process.env;
  delete process.env.AWS_ACCESS_KEY_ID;
  const { LambdaClient } = await import("@aws-sdk/client-lambda");
  const began = performance.now();
  const denied = await new Tokens("good-nobody", { client: new LambdaClient({}) }).get().catch((e) => e);
  process.env.AWS_ACCESS_KEY_ID = key;
  assert.equal(denied.type, "AccessDenied");
  assert.ok(performance.now() - began < 10_000);
});
