/* Asks the extension, which runs beside the function. */

import { request } from "node:http";

import { readAnswer, readFunctionError } from "./answer";
import { Failure } from "./errors";
import type { Asker } from "./lambda";
import type { Wish } from "./memory";
import type { Answer } from "./token";

export class ExtensionAsker implements Asker {
  async ask(connection: string, wish: Wish, now: () => number, signal: AbortSignal): Promise<Answer | Failure> {
    const session = process.env.AWS_SESSION_TOKEN;
    const port = Number(process.env.RELTIO_TOKENS_PORT || 2775); // eslint-disable-line @typescript-eslint/prefer-nullish-coalescing -- empty is none
    if (!session) return new Failure("InvalidRequest", "AWS_SESSION_TOKEN is missing: the extension is for Lambda functions");
    if (!Number.isInteger(port) || port < 1 || port > 65535) return new Failure("InvalidRequest", "RELTIO_TOKENS_PORT: must be a port");
    const query = new URLSearchParams({ connection, min_ttl_seconds: String(Math.ceil(wish.minTtl)) });
    const [path, body] = wish.rejected
      ? ["/rejected", JSON.stringify({ connection, fingerprint: wish.rejected })]
      : [`/token?${query.toString()}`, undefined];
    const asked = now();
    try {
      const { status, payload } = await send(port, path, body, session, signal);
      return status === 200 ? readAnswer(payload, asked) : readFunctionError(payload);
    } catch (error) {
      const { code, name } = error as { code?: string; name?: string };
      return new Failure("StoreUnavailable", `${code ?? name ?? "Error"}: the extension was not reached`);
    }
  }
}

/** Makes one request, over a connection of its own and through no proxy. */
function send(port: number, path: string, body: string | undefined, session: string, signal: AbortSignal) {
  return new Promise<{ status: number; payload: Uint8Array }>((resolve, reject) => {
    const method = body === undefined ? "GET" : "POST";
    const headers = { "X-Reltio-Tokens-Session": session };
    const asking = request({ host: "127.0.0.1", port, path, method, headers, signal, agent: false }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("error", reject);
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, payload: Buffer.concat(parts) });
      });
    });
    asking.on("error", reject);
    asking.end(body);
  });
}
