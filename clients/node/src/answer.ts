/* Reads what issue, the extension or Lambda answers. An error names a key, never its value. */

import { Failure } from "./errors";
import { Answer } from "./token";

/** The longest answer that is read, in bytes; a real one has at most 20 KiB. */
const maxAnswer = 256 << 10;
const maxToken = 16384;
const maxExpiresIn = 31 * 24 * 3600;
/** The longest wait that an answer can ask for, in seconds. */
export const maxRetryAfter = 300;
const maxMessage = 256;

const types: Record<string, (value: unknown) => boolean> = {
  connection: isText,
  access_token: isText,
  token_type: isText,
  scope: isText,
  expires_in: isWhole,
  expires_at: isText,
  fingerprint: isText,
  version: isWhole,
  outcome: isText,
  min_ttl_met: (value) => typeof value === "boolean",
  warnings: (value) => Array.isArray(value) && value.every(isText),
  api_url: isText,
  tenant_id: isText,
};

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

export function isFingerprint(text: unknown): text is string {
  return isText(text) && /^sha256:[0-9a-f]{32}$/.test(text);
}

/** A text fit for a log: printable, on one line, at most 256 characters. */
export function oneLine(text: unknown): string {
  if (!isText(text)) return "";
  const shown = text.slice(0, 4 * maxMessage).replace(/[\p{C}\p{Z}\uFFFD]+/gu, " ");
  return Array.from(shown.trim()).slice(0, maxMessage).join("");
}

/** Reads a time to wait, at most five minutes; undefined if the text is no number. */
export function seconds(text: unknown): number | undefined {
  const digits = isText(text) || isWhole(text) ? String(text) : "";
  return /^[0-9]+$/.test(digits) ? Math.min(Number(digits), maxRetryAfter) : undefined;
}

/** Reads an answer to an invocation that began at asked. */
export function readAnswer(payload: Uint8Array, asked: number): Answer | Failure {
  const members = readObject(payload);
  if (members instanceof Failure) return members;
  const wrong = wrongKey(members);
  if (wrong) return unusable(wrong);
  const text = (name: string) => (members[name] as string | undefined) ?? "";
  return new Answer(text("access_token"), {
    tokenType: text("token_type"),
    scope: text("scope"),
    ends: asked + (members.expires_in as number) * 1000,
    fingerprint: text("fingerprint"),
    version: (members.version as number | undefined) ?? 0,
    apiUrl: oneLine(members.api_url),
    tenantId: oneLine(members.tenant_id),
    warnings: (members.warnings as string[] | undefined) ?? [],
  });
}

function readObject(payload: Uint8Array): Record<string, unknown> | Failure {
  if (payload.byteLength > maxAnswer) return unusable("too long");
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(payload));
  } catch {
    // The message of the SyntaxError may hold the token.
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return unusable("not the JSON of an answer");
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null));
}

/** The name of a key whose value cannot be; empty if there is none. */
function wrongKey(members: Record<string, unknown>): string {
  for (const [name, fits] of Object.entries(types)) {
    if (members[name] !== undefined && !fits(members[name])) return name;
  }
  const token = members.access_token;
  if (!isText(token) || !/^[!-~]+$/.test(token) || token.length > maxToken) return "access_token";
  const life = members.expires_in;
  if (!isWhole(life) || life < 1 || life > maxExpiresIn) return "expires_in";
  return isFingerprint(members.fingerprint) ? "" : "fingerprint";
}

function unusable(what: string): Failure {
  return new Failure("InvalidAnswer", `this is no answer of issue: ${what}`);
}

/** Reads the error of a function that failed. One without a readable error has a defect. */
export function readFunctionError(payload: Uint8Array): Failure {
  const members = readObject(payload);
  if (members instanceof Failure) return new Failure("Internal");
  const type = members.errorType;
  const message = oneLine(members.errorMessage);
  if (!isText(type) || !/^[!-~]{1,128}$/.test(type)) return new Failure("Internal", message);
  const said = type === "RateLimited" ? /\bretry after ([0-9]+) s\b/.exec(message) : null;
  return new Failure(type, message, { retryAfter: seconds(said?.[1]), stored: type !== "InvalidRequest" });
}

/** Reads an answer of Lambda's own. */
export function readStatus(status: number, message: string, retryAfter: unknown): Failure {
  if (status === 429) return new Failure("RateLimited", message, { retryAfter: seconds(retryAfter) });
  if (status === 401 || status === 403) return new Failure("AccessDenied", message);
  if (status >= 400 && status < 500 && status !== 408 && status !== 409) return new Failure("InvalidRequest", message);
  return new Failure("StoreUnavailable", message);
}
