package com.reltiotokens;

import java.time.Duration;
import software.amazon.awssdk.services.lambda.LambdaClient;

/** The options of Tokens. */
public final class Options {
  private final String connection;
  String function = firstOf(System.getenv("RELTIO_TOKENS_FUNCTION"), "issue");
  Duration minTtl = Duration.ZERO;
  Duration refreshBefore = Duration.ofSeconds(30);
  Duration timeout = Duration.ofMinutes(1);
  Duration maxRetryWait = Duration.ofDays(1);
  LambdaClient client;
  Clock clock = Clock.SYSTEM;

  Options(String connection) {
    if (connection.isEmpty()) {
      throw new IllegalArgumentException("connection: is missing");
    }
    this.connection = connection;
  }

  private static String firstOf(String a, String b) {
    return a == null || a.isEmpty() ? b : a;
  }

  /**
   * Names issue.
   *
   * @param value name or ARN; the default is what RELTIO_TOKENS_FUNCTION says, or issue
   * @return this
   */
  public Options function(String value) {
    function = value;
    return this;
  }

  /**
   * Asks for long lives.
   *
   * @param value how long each token should be valid for: as long as the longest job with one
   * @return this
   */
  public Options minTtl(Duration value) {
    minTtl = value;
    return this;
  }

  /**
   * Sets when the next token is asked for.
   *
   * @param value how long before a token's end, at least; negative: not before the end
   * @return this
   */
  public Options refreshBefore(Duration value) {
    refreshBefore = value;
    return this;
  }

  /**
   * Bounds each call.
   *
   * @param value how long one call takes at most
   * @return this
   */
  public Options timeout(Duration value) {
    if (value.isNegative() || value.isZero()) {
      throw new IllegalArgumentException("timeout: must be more than 0");
    }
    timeout = value;
    return this;
  }

  /**
   * Bounds each wait.
   *
   * @param value how long a call waits at most before it asks again; zero: it does not wait
   * @return this
   */
  public Options maxRetryWait(Duration value) {
    maxRetryWait = value;
    return this;
  }

  /**
   * Uses another client.
   *
   * @param value a client to use instead of an own one
   * @return this
   */
  public Options client(LambdaClient value) {
    client = value;
    return this;
  }

  /**
   * Uses another clock.
   *
   * @param value for tests
   * @return this
   */
  public Options clock(Clock value) {
    clock = value;
    return this;
  }

  /**
   * Makes Tokens.
   *
   * @return the tokens of the connection
   */
  public Tokens build() {
    return new Tokens(connection, this);
  }
}
