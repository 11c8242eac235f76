const awaitedTypes = new Set(["RateLimited", "ReltioUnavailable", "StoreUnavailable", "Internal"]);

/** Whether a call waits for an error of the type to pass. */
function isAwaited(type: string): boolean {
  return awaitedTypes.has(type) || /^(Runtime|Sandbox|Extension)\./.test(type);
}

/**
 * There is no token. name is the error type of issue, so that Step Functions can name it. No error
 * holds a secret.
 */
export class TokenError extends Error {
  /** The error type: the same as name. */
  readonly type: string;
  readonly connection: string;
  /** How many seconds to wait, if the error said it. */
  readonly retryAfter: number | undefined;

  constructor(type: string, message: string, options: { connection?: string; retryAfter?: number | undefined } = {}) {
    super(message);
    this.name = type;
    this.type = type;
    this.connection = options.connection ?? "";
    this.retryAfter = options.retryAfter;
  }

  /** Whether the same call can succeed without a person changing something. */
  get temporary(): boolean {
    return this.type === "TokenLimitReached" || isAwaited(this.type);
  }
}

/** What went wrong, as it is remembered: every caller gets an error of its own. */
export class Failure {
  readonly type: string;
  readonly message: string;
  readonly retryAfter: number | undefined;
  /** False: the next request may be valid. */
  readonly stored: boolean;

  constructor(type: string, message = "", options: { retryAfter?: number | undefined; stored?: boolean } = {}) {
    this.type = type;
    this.message = message;
    this.retryAfter = options.retryAfter;
    this.stored = options.stored ?? true;
  }

  /** The error of one caller. */
  error(connection: string): TokenError {
    return new TokenError(this.type, this.message, { connection, retryAfter: this.retryAfter });
  }

  /** Whether a call waits for it to pass. */
  get awaited(): boolean {
    return isAwaited(this.type);
  }
}
