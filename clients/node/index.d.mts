export { createFetch, Token, TokenError, Tokens } from "./dist/index.js";
export type { Clock, FetchOptions, LambdaLike, Need, TokensOptions } from "./dist/index.js";
