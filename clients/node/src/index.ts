/**
 * Access tokens for Reltio's API, from the Lambda function issue.
 *
 *     const tokens = new Tokens("acme-prod"); // once for each process, outside the handler
 *     const reltio = createFetch(tokens);
 *
 * A token is kept until its end, and asked for once for all callers. A call takes as long as its
 * timeout at most, and 5 s if there is a valid token. A failure is a TokenError, whose name is the
 * error type of issue. No error, and nothing that is printed, holds a token.
 */

export type { Clock } from "./clock";
export { TokenError } from "./errors";
export { createFetch, type FetchOptions } from "./fetch";
export type { LambdaLike } from "./lambda";
export { Token } from "./token";
export { Tokens, type Need, type TokensOptions } from "./tokens";
