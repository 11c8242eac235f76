/* What a client remembers, and what it decides. Nothing here waits or asks. Times are milliseconds. */

import { maxRetryAfter } from "./answer";
import type { Failure } from "./errors";
import type { Answer } from "./token";

/** How often a newer token is asked for while the kept one is valid. */
export const askEvery = 30_000;
/** How long an error that does not pass is repeated. */
const refusedFor = 10_000;
const firstWait = 1000;
const longestWait = 15_000;

/** What decides the answer: callers with the same wish share an invocation. minTtl is in seconds. */
export interface Wish {
  readonly minTtl: number;
  readonly rejected: string;
}

/**
 * What a caller does: use the kept token; ask for the next one, or for a longer life, while the
 * kept one is valid; ask because no token can be used; throw the last failure, which is recent.
 */
export type Verdict = "use" | "early" | "longer" | "must" | "refused";

/** The state of one connection's token. */
export class Memory {
  kept: Answer | undefined;
  /** When the invocation began that brought it, until when it is used, from when the next is asked for. */
  asked = 0;
  ends = 0;
  ageing = 0;
  /** Until then no newer token, and no longer life, is asked for. */
  calm = 0;
  calmLife = 0;
  /** When the kept token was reported and came again. */
  reported = -Infinity;
  failure: Failure | undefined;
  /** When the failure is repeated, and how many there were in a row. */
  since = 0;
  until = 0;
  failures = 0;

  judge(wish: Wish, now: number): Verdict {
    if (!this.valid(now) || this.refuses(wish.rejected, now)) return this.troubled(now) ? "refused" : "must";
    if (this.troubled(now)) return "use";
    if (this.left(now) < wish.minTtl * 1000 && now >= this.calmLife) return "longer";
    return now >= this.ageing && now >= this.calm ? "early" : "use";
  }

  /** Whether the kept token is used. If the clock was set back, that is not known. */
  valid(now: number): boolean {
    return this.kept !== undefined && this.asked <= now && now < this.ends;
  }

  left(now: number): number {
    return this.kept ? this.kept.ends - now : 0;
  }

  /** Whether the kept token is the rejected one and was not reported lately. */
  refuses(rejected: string, now: number): boolean {
    const lately = this.reported <= now && now < this.reported + askEvery;
    return rejected !== "" && rejected === this.kept?.fingerprint && !lately;
  }

  /** Whether the last failure is still repeated. */
  troubled(now: number): boolean {
    return this.failure !== undefined && this.since <= now && now < this.until;
  }

  /** The wish without the report of a token that was replaced, or reported lately. */
  narrow(wish: Wish, now: number): Wish {
    return this.valid(now) && !this.refuses(wish.rejected, now) ? { ...wish, rejected: "" } : wish;
  }

  /** Remembers an answer. margin is how long before its end the next token is asked for. */
  learn(wish: Wish, answer: Answer, asked: number, now: number, margin: number): void {
    this.failure = undefined;
    this.failures = 0;
    const kept = this.kept;
    if (kept && this.valid(now) && kept.fingerprint !== wish.rejected && kept.version > answer.version) return; // issue's own memory may lag
    const again = kept?.fingerprint === answer.fingerprint;
    if (!again) {
      this.calm = this.calmLife = 0;
      this.reported = -Infinity;
    }
    this.kept = answer;
    this.asked = asked;
    this.ageing = answer.ends - margin;
    // One that came again, or in its last second, is used until its end: asking brings it once more.
    this.ends = again || now >= answer.ends - 1000 ? answer.ends : answer.ends - 1000;
    if (answer.fingerprint === wish.rejected) this.reported = now;
    if (answer.ends - now < wish.minTtl * 1000) this.calmLife = now + askEvery;
    if (now >= this.ageing) this.calm = now + askEvery;
  }

  /** Remembers a failure. jitter, from 0 to 1, spreads callers that failed together. */
  fail(failure: Failure, now: number, jitter: number): void {
    if (!failure.stored) return;
    this.failures++;
    this.failure = failure;
    this.since = now;
    this.until = now + pause(failure, this.failures, jitter);
  }
}

/** How long a failure is repeated without asking again. */
function pause(failure: Failure, failures: number, jitter: number): number {
  if (!failure.awaited) return refusedFor * (1 + jitter / 5);
  if (failure.retryAfter) return Math.min(failure.retryAfter, maxRetryAfter) * 1000 * (1 + jitter / 5);
  return (Math.min(firstWait * 2 ** Math.min(failures - 1, 10), longestWait) * (1 + jitter)) / 2;
}
