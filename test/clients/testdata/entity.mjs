import { createFetch, Tokens } from "reltio-tokens";

const tokens = new Tokens(process.argv[2]);
const { apiUrl } = await tokens.get();
const reltio = createFetch(tokens, { hosts: [new URL(apiUrl).host] });
const response = await reltio(`${apiUrl}/entities/1`);
console.log((await response.json()).uri);
