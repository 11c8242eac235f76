package com.reltiotokens;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** The token of one connection. Make one for each process, outside the handler; threads share it. */
public final class Tokens {
  private static final long EARLY_TIME = 5000;
  private static final Duration MAX_MIN_TTL = Duration.ofDays(1);

  private final String connection;
  private final Options options;
  private final Asker asker;
  private final Clock clock;
  private final Object lock = new Object(); // guards the two below; never held while something is asked
  private final Memory memory = new Memory();
  private final Map<Memory.Wish, Flight> flights = new HashMap<>();

  Tokens(String connection, Options options) {
    this.connection = connection;
    this.options = options;
    this.asker = new Asker(options.function, options.client);
    this.clock = options.clock;
  }

  /**
   * Begins to make Tokens.
   *
   * @param connection its name
   * @return the options, with their defaults
   */
  public static Options builder(String connection) {
    return new Options(connection);
  }

  /** An invocation in progress. */
  private static final class Flight {
    final long began; // by the wall clock
    final CompletableFuture<Reader.Result> done = new CompletableFuture<>();
    int waiting;

    Flight(long began) {
      this.began = began;
    }

    /** Reports whether it has taken longer than it can: the environment was frozen with it. */
    boolean lost(long now) {
      return now < began || now > began + Asker.INVOKE_TIME.toMillis();
    }
  }

  /** What a caller gets: a token, an invocation to wait for, or a failure until a moment. */
  private record Pass(Memory.Verdict verdict, Memory.Wish key, Token token, Flight flight, Failure failure, long until) {}

  /**
   * Gets a valid token. It waits only if no kept token can be used.
   *
   * @return the token
   * @throws TokenException if there is none
   */
  public Token get() {
    return get(Need.ANY);
  }

  /**
   * Gets a token as it is needed.
   *
   * @param need what is needed
   * @return the token
   * @throws TokenException if there is none
   */
  public Token get(Need need) {
    Memory.Wish wanted = wish(need);
    long deadline = clock.monotonicMillis() + options.timeout.toMillis();
    Failure last = new Failure("StoreUnavailable", "there was no answer within " + options.timeout.toMillis() / 1000.0 + " s");
    for (long left = options.timeout.toMillis(); left > 0; left = deadline - clock.monotonicMillis()) {
      Pass pass = join(wanted);
      if (pass.token() != null) {
        return pass.token();
      }
      try {
        if (pass.flight() == null) {
          last = pass.failure();
          pause(pass, left);
          continue;
        }
        await(pass, pass.verdict() == Memory.Verdict.MUST ? left : Math.min(left, EARLY_TIME));
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw error(new Failure("StoreUnavailable", "the thread was interrupted"));
      }
      Token token = settle(pass, wanted);
      if (token != null) {
        return token;
      }
    }
    throw error(last);
  }

  private TokenException error(Failure failure) {
    return new TokenException(failure, connection);
  }

  /** Checks what a caller wants before anything is sent. */
  private Memory.Wish wish(Need need) {
    Duration minTtl = need.minTtl().compareTo(options.minTtl) > 0 ? need.minTtl() : options.minTtl;
    if (minTtl.isNegative() || minTtl.compareTo(MAX_MIN_TTL) > 0) {
      throw error(new Failure("InvalidRequest", "minTtl: must be from 0 to 24 h"));
    }
    if (!need.rejected().isEmpty() && !Reader.isFingerprint(need.rejected())) {
      throw error(new Failure("InvalidRequest", "rejected: must be the fingerprint of a token"));
    }
    return new Memory.Wish(minTtl.toMillis(), need.rejected());
  }

  /** Decides what a caller does, and begins an invocation if one is needed. */
  private Pass join(Memory.Wish wanted) {
    synchronized (lock) {
      long now = clock.millis();
      Memory.Wish wish = memory.narrow(wanted, now);
      Memory.Verdict verdict = memory.judge(wanted, now);
      switch (verdict) {
        case USE:
          return new Pass(verdict, wish, answering(memory.kept(), wanted, now), null, null, 0);
        case REFUSED:
          return new Pass(verdict, wish, null, null, memory.failure(), memory.until());
        case EARLY:
          memory.calmDown(now); // whatever comes of it: the others use the kept token
          break;
        default:
      }
      Flight flight = flights.get(wish);
      if (flight == null || flight.lost(now)) {
        flight = new Flight(now);
        flights.put(wish, flight);
        begin(flight, wish);
      }
      flight.waiting++;
      return new Pass(verdict, wish, null, flight, null, 0);
    }
  }

  /** Asks in a thread, so that a caller can stop waiting. */
  private void begin(Flight flight, Memory.Wish wish) {
    Thread asking = new Thread(() -> finish(flight, wish, clock.millis(), asker.ask(connection, wish, clock)), "reltio-tokens");
    asking.setDaemon(true);
    asking.start();
  }

  /** Remembers the result, and wakes those who wait. */
  private void finish(Flight flight, Memory.Wish wish, long asked, Reader.Result result) {
    Reader.Result told = result;
    synchronized (lock) {
      long now = clock.millis();
      flights.remove(wish, flight);
      if (told.answer() != null && (now < asked || now >= told.answer().ends())) {
        told = new Reader.Result(null, new Failure("ReltioUnavailable", "the token had expired when it came"));
      }
      if (told.answer() != null) {
        double margin = Math.max(options.refreshBefore.toMillis(), 0) * (1 + clock.random());
        memory.learn(wish, told.answer(), asked, now, (long) margin);
        told = new Reader.Result(memory.kept(), null);
      } else if (flight.waiting > 0) {
        memory.fail(told.failure(), now, clock.random());
      }
    }
    flight.done.complete(told);
  }

  /** Waits for a failure to pass, or throws it. */
  private void pause(Pass pass, long left) throws InterruptedException {
    long pause = Math.max(pass.until() - clock.millis(), 0);
    if (!pass.failure().awaited() || pause >= left || pause > options.maxRetryWait.toMillis()) {
      throw error(pass.failure());
    }
    clock.sleep(pause);
  }

  /** Waits for an invocation, and leaves it. */
  private void await(Pass pass, long millis) throws InterruptedException {
    Flight flight = pass.flight();
    try {
      flight.done.get(millis, TimeUnit.MILLISECONDS);
    } catch (TimeoutException e) {
      // settle says what the caller gets
    } catch (ExecutionException e) {
      throw new IllegalStateException(e); // it is completed with a result only
    } finally {
      leave(pass, flight);
    }
  }

  /** Ends a caller's wait. Nobody joins an invocation any more that nobody waits for. */
  private void leave(Pass pass, Flight flight) {
    synchronized (lock) {
      flight.waiting--;
      if (flight.done.isDone()) {
        return;
      }
      if (pass.verdict() == Memory.Verdict.LONGER) {
        memory.calmDownLife(clock.millis());
      }
      if (flight.waiting == 0) {
        flights.remove(pass.key(), flight);
      }
    }
  }

  /** Returns what a caller gets after its wait; null: it joins again. */
  private Token settle(Pass pass, Memory.Wish wanted) {
    synchronized (lock) {
      long now = clock.millis();
      Reader.Result result = pass.flight().done.getNow(new Reader.Result(null, null));
      if (result.answer() != null && now < result.answer().ends()) {
        return answering(result.answer(), wanted, now);
      }
      if (pass.verdict() != Memory.Verdict.MUST && memory.valid(now)) {
        return answering(memory.kept(), wanted, now);
      }
      if (result.failure() != null && !result.failure().awaited()) {
        throw error(result.failure());
      }
      return null;
    }
  }

  private static Token answering(Answer answer, Memory.Wish wanted, long now) {
    return new Token(answer, answer.ends() - now >= wanted.minTtlMillis());
  }

  @Override
  public String toString() {
    return "Tokens(" + connection + ")";
  }
}
