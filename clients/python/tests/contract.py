"""Runs the cases of clients/contract/cases.json with the installed package.

Reads {"<number>": case, ...} and prints {"<number>": [what each call did], ...}. The arguments are
the stub's address, "sync" or "async", and "lambda" or "extension".
"""

import asyncio
import hashlib
import json
import sys
import time
import urllib.request

from reltio_tokens import AsyncTokens, Clock, TokenError, Tokens

BEGAN = 1_800_000_000.0


class VirtualClock(Clock):
    """Time passes when the client waits, and when a case says so."""

    def __init__(self, case):
        self.wall, self.passed = BEGAN, 0.0
        # What is really waited for counts where an answer does not come; elsewhere a slow machine would.
        self.real = any("silence" in a or "half" in a for a in case["answers"])
        # The shortest waits leave a slow machine the most of a short timeout.
        self.shortest = "timeout" in case.get("options", {})

    def now(self):
        return self.wall

    def monotonic(self):
        return self.passed + (time.monotonic() if self.real else 0)

    def random(self):
        return 0.0 if self.shortest else super().random()

    def sleep(self, seconds):
        self.wall += seconds
        self.passed += seconds

    async def sleep_async(self, seconds):
        self.sleep(seconds)


class Slow:
    """A client of boto3 with which an answer takes as long as its case says."""

    def __init__(self, clock, answers):
        import boto3

        self.client, self.clock, self.answers, self.n = boto3.client("lambda"), clock, answers, 0

    def invoke(self, **request):
        answer = self.client.invoke(**request)
        self.clock.sleep(self.answers[min(self.n, len(self.answers) - 1)].get("takes", 0))
        self.n += 1
        return answer


def fingerprint(rejected):
    if isinstance(rejected, int):
        return "sha256:" + hashlib.sha256(f"token-{rejected}".encode()).hexdigest()[:32]
    return rejected


def get(tokens, call):
    need = {"min_ttl": call.get("min_ttl"), "rejected": fingerprint(call.get("rejected"))}
    return asyncio.run(tokens.get(**need)) if isinstance(tokens, AsyncTokens) else tokens.get(**need)


def do(tokens, call):
    try:
        token = get(tokens, call)
    except TokenError as e:
        return {"got": e.type, "message": e.message}
    fields = "token_type", "scope", "version", "min_ttl_met", "api_url", "tenant_id"
    return {
        "got": token.access_token.replace("token-", "token "),
        "fields": {name: getattr(token, name) for name in fields} | {"warnings": list(token.warnings)},
    }


def run(stub, kind, via, number, case):
    clock, connection, all_done = VirtualClock(case), f"case-{number}", []
    slow = any("takes" in a for a in case["answers"])
    client = Slow(clock, case["answers"]) if slow else None
    tokens = kind(connection, via=via, clock=clock, client=client, **case.get("options", {}))
    for call in case["calls"]:
        if "at" in call:
            clock.wall = BEGAN + call["at"]
        passed, began = clock.passed, time.monotonic()
        done = do(tokens, call)
        done |= {"waited": clock.passed - passed, "took": time.monotonic() - began}
        with urllib.request.urlopen(f"{stub}/count?connection={connection}") as count:
            done["invocations"] = int(count.read())
        all_done.append(done)
    return all_done


def main(stub, style, via):
    kind = {"sync": Tokens, "async": AsyncTokens}[style]
    print(json.dumps({n: run(stub, kind, via, n, case) for n, case in json.load(sys.stdin).items()}))


main(*sys.argv[1:])
