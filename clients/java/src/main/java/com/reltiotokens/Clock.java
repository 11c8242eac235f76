package com.reltiotokens;

import java.util.concurrent.ThreadLocalRandom;

/** The clock of a client, and its randomness: what a test replaces. */
public interface Clock {
  /** The clock of the system. */
  Clock SYSTEM = new Clock() {};

  /**
   * Tells the time.
   *
   * @return the milliseconds since 1970, which go on while an execution environment is frozen
   */
  default long millis() {
    return System.currentTimeMillis();
  }

  /**
   * Measures how long a call takes.
   *
   * @return milliseconds that no one sets back
   */
  default long monotonicMillis() {
    return System.nanoTime() / 1_000_000;
  }

  /**
   * Waits.
   *
   * @param millis for how long
   * @throws InterruptedException if the thread is interrupted
   */
  default void sleep(long millis) throws InterruptedException {
    Thread.sleep(millis);
  }

  /**
   * Spreads processes, so that they do not ask all at once.
   *
   * @return a number from 0 to 1
   */
  default double random() {
    return ThreadLocalRandom.current().nextDouble();
  }
}
