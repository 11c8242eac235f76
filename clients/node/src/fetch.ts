import { isIP } from "node:net";

import type { Tokens } from "./tokens";

export interface FetchOptions {
  /**
   * Where the token may be sent: "host", "host:port" or "*.domain", over https (http: to this
   * machine). The default is "*.reltio.com".
   */
  hosts?: readonly string[];
  /** What sends the requests, instead of the global fetch. */
  fetch?: typeof fetch;
}

/**
 * fetch, which signs its requests with the token of a connection. A request that Reltio answers with
 * 401 is sent once more if its token was replaced. A request to another host is refused; a redirect
 * to another host goes without the token, as fetch itself does it.
 */
export function createFetch(tokens: Tokens, { hosts = ["*.reltio.com"], fetch: send = fetch }: FetchOptions = {}): typeof fetch {
  return async (input, init) => {
    const request = input instanceof Request ? input : undefined;
    check(new URL(input instanceof Request ? input.url : input), hosts);
    const signal = init?.signal ?? request?.signal;
    const need = signal ? { signal } : {};
    const signed = (authorization: string) => {
      const headers = new Headers(init?.headers ?? request?.headers);
      headers.set("Authorization", authorization);
      return send(input, { ...init, headers });
    };
    const token = await tokens.get(need);
    const response = await signed(token.authorization);
    if (response.status !== 401) return response;
    const other = await tokens.get({ ...need, rejected: token.fingerprint });
    if (other.fingerprint === token.fingerprint || !isRepeatable(init?.body ?? request?.body)) return response;
    await response.body?.cancel();
    return signed(other.authorization);
  };
}

/** Whether a body is in memory, so that it can be sent again. */
function isRepeatable(body: unknown): boolean {
  return !(typeof body === "object" && body !== null && (body instanceof ReadableStream || Symbol.asyncIterator in body));
}

/** Refuses a URL that the token must not be sent to. */
function check(url: URL, hosts: readonly string[]): void {
  const secure = url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname));
  if (!secure || !hosts.some((pattern) => matches(pattern, url))) {
    throw new TypeError(`${url.host} over ${url.protocol.slice(0, -1)} is not in hosts: no token goes there`);
  }
}

function matches(pattern: string, url: URL): boolean {
  const any = pattern.startsWith("*.");
  const allowed = new URL(`${url.protocol}//${any ? pattern.slice(2) : pattern}`);
  if (allowed.port !== url.port) return false;
  return any ? url.hostname.endsWith(`.${allowed.hostname}`) : url.hostname === allowed.hostname;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || (isIP(host) === 4 && host.startsWith("127."));
}
