// Runs the cases of clients/contract/cases.json with the installed package, as
// clients/python/tests/contract.py does. The arguments are the stub's address, and "lambda" or
// "extension".

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { TokenError, Tokens } from "reltio-tokens";

const began = 1_800_000_000_000;
const [stub, via] = process.argv.slice(2);

/** Time passes when the client waits, and when a case says so. */
class VirtualClock {
  wall = began;
  passed = 0;

  /** What is really waited for counts where an answer does not come; elsewhere a slow machine would. */
  constructor(scenario) {
    this.real = scenario.answers.some((a) => a.silence || a.half);
    // The shortest waits leave a slow machine the most of a short timeout.
    this.shortest = scenario.options?.timeout !== undefined;
  }

  now() {
    return this.wall;
  }

  monotonic() {
    return this.passed + (this.real ? performance.now() : 0);
  }

  async sleep(milliseconds) {
    this.wall += milliseconds;
    this.passed += milliseconds;
  }

  random() {
    return this.shortest ? 0 : Math.random();
  }
}

/** A client of the SDK with which an answer takes as long as its case says. */
class Slow {
  #client = new LambdaClient({});
  #n = 0;

  constructor(clock, answers) {
    this.clock = clock;
    this.answers = answers;
  }

  async send(command, options) {
    if (!(command instanceof InvokeCommand)) throw new TypeError("not an InvokeCommand of this SDK");
    const answer = await this.#client.send(command, options);
    await this.clock.sleep(1000 * (this.answers[Math.min(this.#n++, this.answers.length - 1)].takes ?? 0));
    return answer;
  }
}

function fingerprint(rejected) {
  if (typeof rejected !== "number") return rejected;
  return "sha256:" + createHash("sha256").update(`token-${rejected}`).digest("hex").slice(0, 32);
}

async function get(tokens, call) {
  try {
    const token = await tokens.get({ minTtl: call.min_ttl, rejected: fingerprint(call.rejected) });
    return {
      got: token.accessToken.replace("token-", "token "),
      fields: {
        token_type: token.tokenType,
        scope: token.scope,
        version: token.version,
        min_ttl_met: token.minTtlMet,
        api_url: token.apiUrl,
        tenant_id: token.tenantId,
        warnings: token.warnings,
      },
    };
  } catch (e) {
    if (!(e instanceof TokenError)) throw e;
    return { got: e.type, message: e.message };
  }
}

async function run(number, scenario) {
  const clock = new VirtualClock(scenario);
  const connection = `case-${number}`;
  const { timeout, max_retry_wait: maxRetryWait, refresh_before: refreshBefore } = scenario.options ?? {};
  const client = scenario.answers.some((a) => a.takes) ? new Slow(clock, scenario.answers) : undefined;
  const tokens = new Tokens(connection, { via, clock, client, timeout, maxRetryWait, refreshBefore });
  const all = [];
  for (const call of scenario.calls) {
    if (call.at !== undefined) clock.wall = began + 1000 * call.at;
    const passed = clock.passed;
    const start = performance.now();
    const done = await get(tokens, call);
    done.waited = (clock.passed - passed) / 1000;
    done.took = (performance.now() - start) / 1000;
    done.invocations = await (await fetch(`${stub}/count?connection=${connection}`)).json();
    all.push(done);
  }
  return all;
}

const results = {};
for (const [number, scenario] of Object.entries(JSON.parse(readFileSync(0, "utf8")))) {
  results[number] = await run(number, scenario);
}
console.log(JSON.stringify(results));
