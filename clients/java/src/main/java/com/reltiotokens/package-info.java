/**
 * Access tokens for Reltio's API, from the Lambda function issue.
 *
 * <pre>{@code
 * static final Tokens TOKENS = Tokens.builder("acme-prod").build(); // once for each process
 *
 * Token token = TOKENS.get();
 * request.header("Authorization", token.authorization());
 * }</pre>
 *
 * <p>A token is kept until its end, and asked for once for all threads. A call takes as long as its
 * timeout at most, and 5 s if there is a valid token. A failure is a {@link
 * com.reltiotokens.TokenException}. No exception and no toString shows a token.
 */
package com.reltiotokens;
