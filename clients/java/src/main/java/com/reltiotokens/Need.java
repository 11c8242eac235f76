package com.reltiotokens;

import java.time.Duration;

/**
 * What one call needs.
 *
 * @param minTtl how long the token should be valid for, if longer than that of Tokens; zero: no longer
 * @param rejected the fingerprint of a token that Reltio answered with 401; empty: none
 */
public record Need(Duration minTtl, String rejected) {
  /** Any valid token. */
  public static final Need ANY = new Need(Duration.ZERO, "");

  /**
   * Asks for a life.
   *
   * @param minTtl how long the token should be valid for
   * @return the need
   */
  public static Need minTtl(Duration minTtl) {
    return new Need(minTtl, "");
  }

  /**
   * Reports a token.
   *
   * @param fingerprint that of a token that Reltio answered with 401
   * @return the need
   */
  public static Need rejected(String fingerprint) {
    return new Need(Duration.ZERO, fingerprint);
  }
}
