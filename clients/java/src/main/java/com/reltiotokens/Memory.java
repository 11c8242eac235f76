package com.reltiotokens;

/** What a client remembers, and what it decides. Nothing here waits, locks or asks. Times are milliseconds. */
final class Memory {
  /** How often a newer token is asked for while the kept one is valid. */
  static final long ASK_EVERY = 30_000;

  private static final long REFUSED_FOR = 10_000;
  private static final long FIRST_WAIT = 1000;
  private static final long LONGEST_WAIT = 15_000;

  /** What decides the answer. Callers with the same wish share an invocation. */
  record Wish(long minTtlMillis, String rejected) {}

  /** What a caller does. */
  enum Verdict {
    /** Use the kept token. */
    USE,
    /** Ask for the next token; the kept one is valid. */
    EARLY,
    /** Ask for a longer life; the kept token is valid. */
    LONGER,
    /** Ask, because no token can be used. */
    MUST,
    /** Throw the last failure, which is recent. */
    REFUSED
  }

  private Answer kept;
  private long asked;
  private long ends;
  private long ageing;
  private long calm;
  private long calmLife;
  private Long reported;
  private Failure failure;
  private long since;
  private long until;
  private int failures;

  Answer kept() {
    return kept;
  }

  Failure failure() {
    return failure;
  }

  long until() {
    return until;
  }

  /** No caller asks for a newer token for a while. */
  void calmDown(long now) {
    calm = now + ASK_EVERY;
  }

  /** No caller asks for a longer life for a while. */
  void calmDownLife(long now) {
    calmLife = now + ASK_EVERY;
  }

  Verdict judge(Wish wish, long now) {
    if (!valid(now) || refuses(wish.rejected(), now)) {
      return troubled(now) ? Verdict.REFUSED : Verdict.MUST;
    }
    if (troubled(now)) {
      return Verdict.USE;
    }
    if (kept.ends() - now < wish.minTtlMillis() && now >= calmLife) {
      return Verdict.LONGER;
    }
    return now >= ageing && now >= calm ? Verdict.EARLY : Verdict.USE;
  }

  /** Reports whether the kept token is used. If the clock was set back, that is not known. */
  boolean valid(long now) {
    return kept != null && asked <= now && now < ends;
  }

  private boolean refuses(String rejected, long now) {
    boolean lately = reported != null && reported <= now && now < reported + ASK_EVERY;
    return kept != null && rejected.equals(kept.fingerprint()) && !lately;
  }

  private boolean troubled(long now) {
    return failure != null && since <= now && now < until;
  }

  /** Returns the wish without the report of a token that was replaced, or reported lately. */
  Wish narrow(Wish wish, long now) {
    return valid(now) && !refuses(wish.rejected(), now) ? new Wish(wish.minTtlMillis(), "") : wish;
  }

  /** Remembers an answer. margin is how long before its end the next token is asked for. */
  void learn(Wish wish, Answer answer, long askedAt, long now, long margin) {
    failure = null;
    failures = 0;
    if (valid(now) && !kept.fingerprint().equals(wish.rejected()) && kept.version() > answer.version()) {
      return; // issue's own memory may lag
    }
    boolean again = kept != null && kept.fingerprint().equals(answer.fingerprint());
    if (!again) {
      calm = 0;
      calmLife = 0;
      reported = null;
    }
    kept = answer;
    asked = askedAt;
    ageing = answer.ends() - margin;
    // One that came again, or in its last second, is used until its end: asking brings it once more.
    ends = again || now >= answer.ends() - 1000 ? answer.ends() : answer.ends() - 1000;
    if (answer.fingerprint().equals(wish.rejected())) {
      reported = now;
    }
    if (answer.ends() - now < wish.minTtlMillis()) {
      calmDownLife(now);
    }
    if (now >= ageing) {
      calmDown(now);
    }
  }

  /** Remembers a failure. jitter, from 0 to 1, spreads callers that failed together. */
  void fail(Failure failed, long now, double jitter) {
    if (!failed.stored()) {
      return;
    }
    failures++;
    failure = failed;
    since = now;
    until = now + pause(failed, failures, jitter);
  }

  private static long pause(Failure failed, int failures, double jitter) {
    if (!failed.awaited()) {
      return (long) (REFUSED_FOR * (1 + jitter / 5));
    }
    if (failed.retryAfter() > 0) {
      return (long) (failed.retryAfter() * 1000 * (1 + jitter / 5));
    }
    long wait = Math.min(FIRST_WAIT << Math.min(failures - 1, 10), LONGEST_WAIT);
    return (long) (wait * (1 + jitter) / 2);
  }
}
