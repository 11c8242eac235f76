/** An integration: reads entities of a tenant, ten at a time. */

import { Tokens } from "./reltio-tokens.mjs";

const api = process.env.RELTIO_API; // https://prod.reltio.com/reltio/api/TENANT
const tokens = new Tokens(process.env.RELTIO_CONNECTION);

/** Calls the API; once more, with another token, if Reltio refuses this one. */
async function call(method, path, body) {
  const token = await tokens.get();
  let response = await send(token, method, path, body);
  if (response.status === 401) {
    const other = await tokens.get(token.fingerprint);
    if (other.fingerprint !== token.fingerprint) response = await send(other, method, path, body);
  }
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`); // a body of Reltio's may hold the token
  return response.json();
}

function send(token, method, path, body) {
  return fetch(`${api}/${path}`, {
    method,
    body,
    headers: { Authorization: `Bearer ${token.text}` },
    signal: AbortSignal.timeout(30000),
  });
}

export async function handler({ entities }) {
  const answers = [];
  for (let i = 0; i < entities.length; i += 10) {
    answers.push(...(await Promise.all(entities.slice(i, i + 10).map((name) => call("GET", `entities/${name}`)))));
  }
  return answers;
}
