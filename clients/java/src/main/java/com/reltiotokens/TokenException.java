package com.reltiotokens;

import java.time.Duration;
import java.util.Optional;

/** There is no token. It holds no secret. */
public final class TokenException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final String type;
  private final String connection;
  private final Duration retryAfter;

  TokenException(Failure failure, String connection) {
    super(failure.type() + ": " + failure.message());
    this.type = failure.type();
    this.connection = connection;
    this.retryAfter = failure.retryAfter() > 0 ? Duration.ofSeconds(failure.retryAfter()) : null;
  }

  /**
   * Says what went wrong.
   *
   * @return the error type, as issue names it
   */
  public String type() {
    return type;
  }

  /**
   * Says whose token was asked for.
   *
   * @return the connection's name
   */
  public String connection() {
    return connection;
  }

  /**
   * Says how long to wait.
   *
   * @return the wait that the error named
   */
  public Optional<Duration> retryAfter() {
    return Optional.ofNullable(retryAfter);
  }

  /**
   * Reports whether the same call can succeed without a person changing something.
   *
   * @return whether it can
   */
  public boolean temporary() {
    return type.equals("TokenLimitReached") || Failure.awaited(type);
  }
}
