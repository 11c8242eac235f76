/* Asks issue through Lambda's API, with the AWS SDK. */

import { oneLine, readAnswer, readFunctionError, readStatus } from "./answer";
import { Failure } from "./errors";
import type { Wish } from "./memory";
import type { Answer } from "./token";

/** The longest that one invocation may take, in milliseconds. */
export const invokeTime = 30_000;

/** Asks for a token once. It never rejects. */
export interface Asker {
  ask(connection: string, wish: Wish, now: () => number, signal: AbortSignal): Promise<Answer | Failure>;
}

/** The part of a LambdaClient that is used. */
export interface LambdaLike {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- the SDK's own types need not be installed
  send(command: any, options?: any): Promise<any>;
}

type SDK = typeof import("@aws-sdk/client-lambda");

let own: LambdaLike | undefined; // for all connections of this process

export class LambdaAsker implements Asker {
  readonly #function: string;
  readonly #given: LambdaLike | undefined;

  constructor(name: string | undefined, client: LambdaLike | undefined) {
    this.#function = name ?? (process.env.RELTIO_TOKENS_FUNCTION || "issue"); // eslint-disable-line @typescript-eslint/prefer-nullish-coalescing -- empty is none
    this.#given = client;
  }

  async ask(connection: string, wish: Wish, now: () => number, signal: AbortSignal): Promise<Answer | Failure> {
    const asked = now();
    let answer: { FunctionError?: string; Payload?: Uint8Array };
    try {
      const sdk = load();
      if (!sdk) return new Failure("InvalidRequest", "@aws-sdk/client-lambda is missing: install it, or use the extension");
      const Payload = JSON.stringify({
        connection,
        ...(wish.minTtl > 0 && { min_ttl_seconds: Math.ceil(wish.minTtl) }),
        ...(wish.rejected && { rejected_fingerprint: wish.rejected }),
      });
      const command = new sdk.InvokeCommand({ FunctionName: this.#function, Payload });
      answer = (await (this.#given ?? client(sdk)).send(command, { abortSignal: signal })) as typeof answer;
    } catch (error) {
      return failureOf(error);
    }
    const payload = answer.Payload ?? new Uint8Array();
    return answer.FunctionError ? readFunctionError(payload) : readAnswer(payload, asked);
  }
}

/** The SDK, which the extension does not need; undefined if it is not there. */
function load(): SDK | undefined {
  try {
    return require("@aws-sdk/client-lambda") as SDK; // eslint-disable-line @typescript-eslint/no-require-imports -- read when it is needed
  } catch {
    return undefined;
  }
}

/** The client of this process. It keeps no connection, which may have died while the environment was frozen. */
function client(sdk: SDK): LambdaLike {
  own ??= new sdk.LambdaClient({
    maxAttempts: 1,
    requestHandler: {
      connectionTimeout: 3000,
      requestTimeout: invokeTime,
      throwOnRequestTimeout: true,
      httpAgent: { keepAlive: false },
      httpsAgent: { keepAlive: false },
    },
  });
  return own;
}

interface SDKError {
  name?: unknown;
  message?: unknown;
  code?: unknown;
  $metadata?: { httpStatusCode?: number };
  $response?: { headers?: Record<string, string>; statusCode?: number };
}

/** The failure of an error of the SDK or of the network. */
function failureOf(error: unknown): Failure {
  const e: SDKError = Object(error) as SDKError;
  const name = oneLine(e.name);
  const message = oneLine(`${name}: ${wordsOf(e)}`);
  const status = e.$metadata?.httpStatusCode ?? e.$response?.statusCode ?? 0;
  if (status >= 400) return readStatus(status, message, e.$response?.headers?.["retry-after"]);
  const code = oneLine(e.code);
  const network = status !== 0 || ["TimeoutError", "AbortError"].includes(name) || /^E[A-Z_]+$/.test(code);
  if (network) return new Failure("StoreUnavailable", `${code || name}: Lambda was not reached`);
  return new Failure(name === "CredentialsProviderError" ? "AccessDenied" : "InvalidRequest", message);
}

/** What an error says. A refused signature is explained by the whole request, with its session token. */
function wordsOf(e: SDKError): string {
  return String(e.message).split("The Canonical String")[0] ?? "";
}
