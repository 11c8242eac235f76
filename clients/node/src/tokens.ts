import { isFingerprint } from "./answer";
import { realClock, type Clock } from "./clock";
import { Failure } from "./errors";
import { ExtensionAsker } from "./extension";
import { LambdaAsker, type LambdaLike } from "./lambda";
import type { Wish } from "./memory";
import { Source, type Pass } from "./source";
import { Token } from "./token";

/** How long a caller that has a valid token waits for another one, in milliseconds. */
const earlyTime = 5000;
const maxMinTtl = 86_400;

/** All times are in seconds. */
export interface TokensOptions {
  /** "lambda" (the AWS SDK) or "extension"; by default what RELTIO_TOKENS_VIA says, or "lambda". */
  via?: "lambda" | "extension";
  /** Name or ARN of issue; by default what RELTIO_TOKENS_FUNCTION says, or "issue". */
  function?: string;
  /** How long each token should be valid for: as long as the longest job with one. */
  minTtl?: number;
  /** How long before a token's end, at least, the next one is asked for. Negative: not before the end. */
  refreshBefore?: number;
  /** How long one call takes at most. */
  timeout?: number;
  /** How long a call waits at most before it asks again; 0: it does not wait. */
  maxRetryWait?: number;
  /** A LambdaClient to use instead of an own one. */
  client?: LambdaLike;
  /** For tests. */
  clock?: Clock;
}

/** What a caller needs. All times are in seconds. */
export interface Need {
  /** How long the token should be valid for, if longer than that of Tokens. */
  minTtl?: number;
  /** The fingerprint of a token that Reltio answered with 401. */
  rejected?: string;
  /** How long this call takes at most, if less than that of Tokens. */
  timeout?: number;
  /** Ends this call: it rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** The token of one connection. Make one for each process, outside the handler. */
export class Tokens {
  readonly #connection: string;
  readonly #minTtl: number;
  readonly #timeout: number;
  readonly #maxRetryWait: number;
  readonly #clock: Clock;
  readonly #source: Source;

  constructor(connection: string, options: TokensOptions = {}) {
    const via = options.via ?? (process.env.RELTIO_TOKENS_VIA === "extension" ? "extension" : "lambda");
    if (!["lambda", "extension"].includes(via)) throw new TypeError("via: must be lambda or extension");
    if (typeof connection !== "string" || !connection) throw new TypeError("connection: is missing");
    this.#connection = connection;
    this.#minTtl = options.minTtl ?? 0;
    this.#timeout = options.timeout ?? 60;
    if (!(this.#timeout > 0)) throw new TypeError("timeout: must be more than 0");
    this.#maxRetryWait = options.maxRetryWait ?? Infinity;
    this.#clock = options.clock ?? realClock;
    const asker = via === "extension" ? new ExtensionAsker() : new LambdaAsker(options.function, options.client);
    this.#source = new Source(connection, asker, this.#clock, options.refreshBefore ?? 30);
  }

  /** A valid token, or a TokenError. It waits only if no kept token can be used. */
  async get(need: Need = {}): Promise<Token> {
    const wish = this.#wish(need);
    const allowed = Math.min(need.timeout ?? this.#timeout, this.#timeout);
    const deadline = this.#clock.monotonic() + allowed * 1000;
    let last: Failure | undefined;
    for (;;) {
      need.signal?.throwIfAborted();
      const left = deadline - this.#clock.monotonic();
      if (left <= 0) break;
      const pass = this.#source.join(wish);
      if (pass.token) return pass.token;
      if (!pass.flight) {
        last = pass.failure;
        await this.#pause(pass, left, need.signal);
        continue;
      }
      await this.#wait(pass, pass.verdict === "must" ? left : Math.min(left, earlyTime), need.signal);
      const result = this.#source.settle(pass, wish);
      if (result instanceof Token) return result;
      if (result) throw result.error(this.#connection);
    }
    throw (last ?? new Failure("StoreUnavailable", `there was no answer within ${String(allowed)} s`)).error(this.#connection);
  }

  /** Checks what a caller wants before anything is sent. */
  #wish(need: Need): Wish {
    const minTtl = Math.max(need.minTtl ?? 0, this.#minTtl);
    let wrong = "";
    if (!(minTtl >= 0 && minTtl <= maxMinTtl)) wrong = `minTtl: must be from 0 to ${String(maxMinTtl)}`;
    if (need.rejected && !isFingerprint(need.rejected)) wrong = "rejected: must be the fingerprint of a token";
    if (wrong) throw new Failure("InvalidRequest", wrong).error(this.#connection);
    return { minTtl, rejected: need.rejected ?? "" };
  }

  /** Waits for a failure to pass, or throws it. */
  async #pause(pass: Pass, left: number, signal: AbortSignal | undefined): Promise<void> {
    const failure = pass.failure ?? new Failure("Internal");
    const pause = Math.max((pass.until ?? 0) - this.#clock.now(), 0);
    if (!failure.awaited || pause >= left || pause > this.#maxRetryWait * 1000) throw failure.error(this.#connection);
    try {
      await this.#clock.sleep(pause, signal);
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    }
  }

  /** Waits for an invocation, for so many milliseconds or until the signal. */
  async #wait(pass: Pass, milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
    let wake = (): void => undefined;
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const timer = setTimeout(wake, milliseconds);
    signal?.addEventListener("abort", wake, { once: true });
    try {
      await Promise.race([pass.flight?.done, woken]);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", wake);
      this.#source.leave(pass);
    }
    signal?.throwIfAborted();
  }
}
