/* Shares one invocation among all callers that need it. */

import type { Clock } from "./clock";
import { Failure } from "./errors";
import { invokeTime, type Asker } from "./lambda";
import { askEvery, Memory, type Verdict, type Wish } from "./memory";
import { Answer, Token } from "./token";

/** An invocation in progress. result is there when done is. */
export class Flight {
  waiting = 0;
  result: Answer | Failure | undefined;
  done: Promise<void> = Promise.resolve();
  readonly stop = new AbortController();

  /** began is by the wall clock. */
  constructor(readonly began: number) {}

  /** Whether it has taken longer than it can: the environment was frozen with it. */
  lost(now: number): boolean {
    return now < this.began || now > this.began + invokeTime;
  }
}

/** What a caller gets: a token, an invocation to wait for, or a failure until a moment. */
export interface Pass {
  verdict: Verdict;
  key: string;
  token?: Token;
  flight?: Flight;
  failure?: Failure | undefined;
  until?: number;
}

/** The token of one connection, and the invocations in progress. */
export class Source {
  readonly #connection: string;
  readonly #asker: Asker;
  readonly #clock: Clock;
  readonly #refreshBefore: number;
  readonly #memory = new Memory();
  readonly #flights = new Map<string, Flight>();

  constructor(connection: string, asker: Asker, clock: Clock, refreshBefore: number) {
    this.#connection = connection;
    this.#asker = asker;
    this.#clock = clock;
    this.#refreshBefore = refreshBefore;
  }

  /** Decides what a caller does, and begins an invocation if one is needed. */
  join(wanted: Wish): Pass {
    const now = this.#clock.now();
    const memory = this.#memory;
    const wish = memory.narrow(wanted, now);
    const pass: Pass = { verdict: memory.judge(wanted, now), key: `${String(wish.minTtl)} ${wish.rejected}` };
    if (pass.verdict === "use" && memory.kept) return { ...pass, token: this.#answering(memory.kept, wanted, now) };
    if (pass.verdict === "refused") return { ...pass, failure: memory.failure, until: memory.until };
    if (pass.verdict === "early") memory.calm = now + askEvery; // whatever comes of it: the others use the kept token
    let flight = this.#flights.get(pass.key);
    if (!flight || flight.lost(now)) {
      flight = new Flight(now);
      this.#flights.set(pass.key, flight);
      flight.done = this.#fly(flight, pass.key, wish);
    }
    flight.waiting++;
    return { ...pass, flight };
  }

  /** Asks, for no longer than an invocation can take, and remembers the result. It never rejects. */
  async #fly(flight: Flight, key: string, wish: Wish): Promise<void> {
    const asked = this.#clock.now();
    const end = setTimeout(() => {
      flight.stop.abort();
    }, invokeTime);
    let result = await this.#asker
      .ask(this.#connection, wish, () => this.#clock.now(), flight.stop.signal)
      .catch((error: unknown) => new Failure("Internal", error instanceof Error ? error.name : ""));
    clearTimeout(end);
    const now = this.#clock.now();
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
    if (result instanceof Answer && (now < asked || now >= result.ends)) {
      result = new Failure("ReltioUnavailable", "the token had expired when it came");
    }
    if (result instanceof Answer) {
      const margin = this.#refreshBefore < 0 ? 0 : this.#refreshBefore * 1000 * (1 + this.#clock.random());
      this.#memory.learn(wish, result, asked, now, margin);
      result = this.#memory.kept ?? result;
    } else if (flight.waiting > 0) {
      this.#memory.fail(result, now, this.#clock.random());
    }
    flight.result = result;
  }

  /** Ends a caller's wait. An invocation that nobody waits for is cancelled. */
  leave(pass: Pass): void {
    const flight = pass.flight;
    if (!flight) return;
    flight.waiting--;
    if (flight.result) return;
    if (pass.verdict === "longer") this.#memory.calmLife = this.#clock.now() + askEvery;
    if (flight.waiting === 0) {
      flight.stop.abort();
      if (this.#flights.get(pass.key) === flight) this.#flights.delete(pass.key);
    }
  }

  /** What a caller gets after its wait; undefined: it joins again. */
  settle(pass: Pass, wanted: Wish): Token | Failure | undefined {
    const now = this.#clock.now();
    const result = pass.flight?.result;
    if (result instanceof Answer && now < result.ends) return this.#answering(result, wanted, now);
    const kept = this.#memory.kept;
    if (pass.verdict !== "must" && kept && this.#memory.valid(now)) return this.#answering(kept, wanted, now);
    return result instanceof Failure && !result.awaited ? result : undefined;
  }

  #answering(answer: Answer, wanted: Wish, now: number): Token {
    return new Token(answer, answer.ends - now >= wanted.minTtl * 1000);
  }
}
