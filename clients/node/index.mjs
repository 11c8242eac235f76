// The module in CommonJS is the only one, so that import and require get the same classes.
import module from "./dist/index.js";

export const { createFetch, Token, TokenError, Tokens } = module;
