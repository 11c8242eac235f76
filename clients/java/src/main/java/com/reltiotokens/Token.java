package com.reltiotokens;

import java.time.Instant;
import java.util.List;

/** An access token. toString shows its fingerprint. */
public final class Token {
  private final Answer answer;
  private final boolean minTtlMet;

  Token(Answer answer, boolean minTtlMet) {
    this.answer = answer;
    this.minTtlMet = minTtlMet;
  }

  /**
   * The token itself.
   *
   * @return what Reltio's API takes
   */
  public String accessToken() {
    return answer.accessToken();
  }

  /**
   * The value of the header Authorization.
   *
   * @return the word Bearer and the token
   */
  public String authorization() {
    return "Bearer " + answer.accessToken();
  }

  /**
   * The token's type.
   *
   * @return as Reltio sent it, "bearer"
   */
  public String tokenType() {
    return answer.tokenType();
  }

  /**
   * The token's scope.
   *
   * @return as Reltio sent it, separated by spaces
   */
  public String scope() {
    return answer.scope();
  }

  /**
   * The token's deadline.
   *
   * @return by this machine's clock, even if that clock is wrong
   */
  public Instant expiresAt() {
    return Instant.ofEpochMilli(answer.ends());
  }

  /**
   * Names the token without showing it.
   *
   * @return the fingerprint
   */
  public String fingerprint() {
    return answer.fingerprint();
  }

  /**
   * Rises with each new token of the connection.
   *
   * @return the version
   */
  public long version() {
    return answer.version();
  }

  /**
   * Reports whether as much life is left as was asked for.
   *
   * @return whether it is
   */
  public boolean minTtlMet() {
    return minTtlMet;
  }

  /**
   * Where the token is used.
   *
   * @return as the connection's secret has it; empty if it does not
   */
  public String apiUrl() {
    return answer.apiUrl();
  }

  /**
   * The tenant.
   *
   * @return as the connection's secret has it; empty if it does not
   */
  public String tenantId() {
    return answer.tenantId();
  }

  /**
   * What to know although there is a token.
   *
   * @return the warnings of issue
   */
  public List<String> warnings() {
    return answer.warnings();
  }

  @Override
  public String toString() {
    return "Token(" + fingerprint() + ")";
  }
}
