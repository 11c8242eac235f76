import { setTimeout as wait } from "node:timers/promises";

/** The clock of a client, and its randomness: what a test replaces. */
export interface Clock {
  /** The milliseconds since 1970, which go on while an execution environment is frozen. */
  now(): number;
  /** Milliseconds that no one sets back. They bound how long a call takes. */
  monotonic(): number;
  /** Waits for so many milliseconds, or until the signal. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
  /** A number from 0 to 1, so that many processes do not ask all at once. */
  random(): number;
}

export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (milliseconds, signal) => wait(milliseconds, undefined, signal ? { signal } : {}),
  random: () => Math.random(),
};
