/** Keeps the access token of a Reltio connection, and asks the function issue for the next one. */

import { setTimeout as sleep } from "node:timers/promises";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";

const passing = ["RateLimited", "ReltioUnavailable", "StoreUnavailable", "Internal"]; // worth a wait

/** There is no token. name is issue's errorType. */
export class TokenError extends Error {
  constructor(type, message) {
    super(message);
    this.name = type;
  }

  /** Whether it passes by itself, within seconds. */
  get passes() {
    return passing.includes(this.name) || /^(Runtime|Sandbox)\./.test(this.name);
  }
}

/** A token. Printing it does not show its text. */
export class Token {
  #text;

  /** @param {{access_token: string, fingerprint: string, expires_in: number}} answer */
  constructor(answer, asked) {
    this.#text = answer.access_token;
    this.fingerprint = answer.fingerprint;
    this.ends = asked + answer.expires_in * 1000; // by Date.now(), which goes on in a frozen environment
  }

  get text() {
    return this.#text;
  }
}

/** The token of one connection. Make one for each process, outside the handler. */
export class Tokens {
  #lambda = new LambdaClient({ maxAttempts: 3, requestHandler: { connectionTimeout: 3000, requestTimeout: 30000 } });
  #connection;
  #minLife;
  #patience;
  #token;
  #queue = Promise.resolve(); // one caller asks; the others wait for the same answer
  #calm = 0; // until then no call asks for a token that is valid for longer
  #active = 0; // until then the token, which was reported, counts as active: Reltio said so
  #error; // the last error, which is thrown again until #until
  #until = 0;
  #errors = 0;

  /**
   * @param {string} connection
   * @param {{minLife?: number, patience?: number}} [options] in seconds. minLife is how long a token
   *   should still be valid: as long as the longest job that uses one token. patience is how long a call
   *   waits for an error to pass.
   */
  constructor(connection, { minLife = 60, patience = 20 } = {}) {
    this.#connection = connection;
    this.#minLife = minLife;
    this.#patience = patience;
  }

  /**
   * A valid token.
   * @param {string} [rejected] the fingerprint of a token that Reltio answered with 401
   * @returns {Promise<Token>}
   */
  async get(rejected) {
    const giveUp = Date.now() + this.#patience * 1000;
    const token = this.#usable(rejected);
    if (token) return token;
    const result = this.#queue.then(() => this.#get(rejected, giveUp));
    this.#queue = result.catch(() => {}); // its caller gets the error
    return result;
  }

  async #get(rejected, giveUp) {
    for (;;) {
      const token = this.#usable(rejected);
      if (token) return token;
      const wait = this.#until - Date.now();
      if (wait <= 0) {
        await this.#ask(rejected);
        this.#calm = Date.now() + 30000;
      } else if (this.#error.passes && Date.now() + wait < giveUp) await sleep(wait);
      else throw this.#error;
    }
  }

  #usable(rejected) {
    const now = Date.now();
    const token = this.#token;
    if (!token || now >= token.ends - 1000) return undefined;
    if (token.fingerprint === rejected && now >= this.#active) return undefined;
    return token.ends - now >= this.#minLife * 1000 || now < this.#calm ? token : undefined;
  }

  async #ask(rejected) {
    const now = Date.now();
    this.#calm = now + 120000; // meanwhile the others use the token that is still valid
    const request = { connection: this.#connection, min_ttl_seconds: this.#minLife };
    if (rejected && this.#token?.fingerprint === rejected) request.rejected_fingerprint = rejected;
    try {
      const answer = await this.#invoke(request);
      this.#token = new Token(answer, now);
      this.#active = answer.fingerprint === rejected ? Date.now() + 30000 : 0;
      this.#errors = 0;
    } catch (error) { // the SDK's own too: it has tried again
      this.#error = error;
      this.#until = Date.now() + 1000 * pause(error, ++this.#errors);
    }
  }

  async #invoke(request) {
    const answer = await this.#lambda.send(
      new InvokeCommand({
        FunctionName: process.env.RELTIO_TOKENS_FUNCTION ?? "issue",
        Payload: JSON.stringify(request),
      }),
    );
    const payload = JSON.parse(answer.Payload.transformToString());
    if (answer.FunctionError) throw new TokenError(payload.errorType ?? "Internal", payload.errorMessage ?? "");
    return payload;
  }
}

/** How many seconds an error is thrown again, without another invocation. */
function pause(error, errors) {
  if (!error.passes) return 10;
  const said = /retry after (\d+) s/.exec(error.message);
  if (said) return Number(said[1]) * (1 + Math.random() / 5);
  return (Math.min(2 ** (errors - 1), 15) * (1 + Math.random())) / 2;
}
