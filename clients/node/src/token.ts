import { inspect } from "node:util";

/** An answer of issue, as it is kept. Printing it does not show the token. */
export class Answer {
  readonly #accessToken: string;
  readonly tokenType: string;
  readonly scope: string;
  /** When the token expires, in milliseconds by this machine's clock. */
  readonly ends: number;
  readonly fingerprint: string;
  readonly version: number;
  readonly apiUrl: string;
  readonly tenantId: string;
  readonly warnings: readonly string[];

  constructor(accessToken: string, rest: Omit<Answer, "accessToken">) {
    this.#accessToken = accessToken;
    this.tokenType = rest.tokenType;
    this.scope = rest.scope;
    this.ends = rest.ends;
    this.fingerprint = rest.fingerprint;
    this.version = rest.version;
    this.apiUrl = rest.apiUrl;
    this.tenantId = rest.tenantId;
    this.warnings = rest.warnings;
  }

  get accessToken(): string {
    return this.#accessToken;
  }
}

/** An access token. Printing it shows its fingerprint. */
export class Token {
  readonly #answer: Answer;
  /** Names the token without showing it. */
  readonly fingerprint: string;
  /** The token's deadline by this machine's clock, even if that clock is wrong. */
  readonly expiresAt: Date;
  /** Whether as much life is left as was asked for. */
  readonly minTtlMet: boolean;

  constructor(answer: Answer, minTtlMet: boolean) {
    this.#answer = answer;
    this.fingerprint = answer.fingerprint;
    this.expiresAt = new Date(answer.ends);
    this.minTtlMet = minTtlMet;
  }

  /** The token itself. */
  get accessToken(): string {
    return this.#answer.accessToken;
  }

  /** The value of the header Authorization. */
  get authorization(): string {
    return `Bearer ${this.#answer.accessToken}`;
  }

  /** As Reltio sent it, "bearer". */
  get tokenType(): string {
    return this.#answer.tokenType;
  }

  /** As Reltio sent it, separated by spaces. */
  get scope(): string {
    return this.#answer.scope;
  }

  /** Rises with each new token of the connection. */
  get version(): number {
    return this.#answer.version;
  }

  /** Where the token is used, as the connection's secret has it; empty if it does not. */
  get apiUrl(): string {
    return this.#answer.apiUrl;
  }

  /** The tenant, as the connection's secret has it; empty if it does not. */
  get tenantId(): string {
    return this.#answer.tenantId;
  }

  /** What to know although there is a token. */
  get warnings(): readonly string[] {
    return this.#answer.warnings;
  }

  toString(): string {
    return `Token(${this.fingerprint})`;
  }

  toJSON(): { fingerprint: string; expiresAt: Date } {
    return { fingerprint: this.fingerprint, expiresAt: this.expiresAt };
  }

  [inspect.custom](): string {
    return this.toString();
  }
}
