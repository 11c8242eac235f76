/** Asks the extension reltio-tokens for the access token of a Reltio connection. */

const extension = `http://127.0.0.1:${process.env.RELTIO_TOKENS_PORT ?? 2775}`;

/** There is no token. name is the extension's errorType. */
export class TokenError extends Error {
  constructor(type, message) {
    super(message);
    this.name = type;
  }
}

/** A token. Printing it does not show its text. */
export class Token {
  #text;

  /** @param {{access_token: string, fingerprint: string}} answer */
  constructor(answer) {
    this.#text = answer.access_token;
    this.fingerprint = answer.fingerprint;
  }

  get text() {
    return this.#text;
  }
}

/** The tokens of one connection; the extension keeps them. */
export class Tokens {
  #connection;
  #minLife;

  /**
   * @param {string} connection
   * @param {{minLife?: number}} [options] minLife is how many seconds a token should still be valid:
   *   as long as the longest job that uses one token.
   */
  constructor(connection, { minLife = 0 } = {}) {
    this.#connection = connection;
    this.#minLife = minLife;
  }

  /**
   * A valid token.
   * @param {string} [rejected] the fingerprint of a token that Reltio answered with 401
   * @returns {Promise<Token>}
   */
  async get(rejected) {
    const query = new URLSearchParams({ connection: this.#connection, min_ttl_seconds: this.#minLife });
    const [path, body] = rejected
      ? ["/rejected", JSON.stringify({ connection: this.#connection, fingerprint: rejected })]
      : [`/token?${query}`, undefined];
    const response = await fetch(extension + path, {
      method: body ? "POST" : "GET",
      body,
      headers: { "X-Reltio-Tokens-Session": process.env.AWS_SESSION_TOKEN },
      signal: AbortSignal.timeout(30000),
    });
    const answer = await response.json();
    if (!response.ok) throw new TokenError(answer.errorType, answer.errorMessage);
    return new Token(answer);
  }
}
