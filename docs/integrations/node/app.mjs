/** An integration: reads entities of a tenant, ten at a time. */

import { createFetch, Tokens } from "reltio-tokens";

const tokens = new Tokens(process.env.RELTIO_CONNECTION);
const api = process.env.RELTIO_API ?? (await tokens.get()).apiUrl; // https://prod.reltio.com/reltio/api/TENANT
const reltio = createFetch(tokens, { hosts: [new URL(api).host] });

async function call(method, path, body) {
  const response = await reltio(`${api}/${path}`, { method, body, signal: AbortSignal.timeout(30000) });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`); // a body of Reltio's may hold the token
  return response.json();
}

export async function handler({ entities }) {
  const answers = [];
  for (let i = 0; i < entities.length; i += 10) {
    answers.push(...(await Promise.all(entities.slice(i, i + 10).map((name) => call("GET", `entities/${name}`)))));
  }
  return answers;
}
