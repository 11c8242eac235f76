"""Keeps the access token of a Reltio connection, and asks the function issue for the next one."""

from __future__ import annotations

import json
import os
import random
import re
import threading
import time
from dataclasses import dataclass, field

import boto3
from botocore.config import Config

PASSING = ("RateLimited", "ReltioUnavailable", "StoreUnavailable", "Internal")  # worth a wait
SDK = Config(connect_timeout=3, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 3})


class TokenError(Exception):
    """There is no token. The class of each is named for issue's errorType."""

    passes = False  # whether it passes by itself, within seconds


@dataclass(frozen=True)
class Token:
    text: str = field(repr=False)  # so that no log shows it
    fingerprint: str
    ends: float  # by time.time(): the monotonic clock may stand still in a frozen environment


class Tokens:
    """The token of one connection. Make one for each process, outside the handler; threads share it."""

    def __init__(self, connection: str, min_life: int = 60, patience: float = 20) -> None:
        """min_life is how many seconds a token should still be valid: as long as the longest job that
        uses one token. patience is how many seconds a call waits for an error to pass."""
        self._connection, self._min_life, self._patience = connection, min_life, patience
        self._function = os.environ.get("RELTIO_TOKENS_FUNCTION", "issue")
        self._lambda = boto3.client("lambda", config=SDK)
        self._asking = threading.Lock()  # the thread that has it asks; the others wait for the same answer
        self._token: Token | None = None
        self._calm = 0.0  # until then no call asks for a token that is valid for longer
        self._active = 0.0  # until then the token, which was reported, counts as active: Reltio said so
        self._error, self._until, self._errors = Exception(), 0.0, 0  # the last error is raised again until then

    def get(self, rejected: str | None = None) -> Token:
        """A valid token. rejected is the fingerprint of a token that Reltio answered with 401."""
        give_up = time.time() + self._patience
        if token := self._usable(rejected):
            return token
        with self._asking:
            while not (token := self._usable(rejected)):
                wait = self._until - time.time()
                if wait <= 0:
                    self._ask(rejected)
                    self._calm = time.time() + 30
                elif getattr(self._error, "passes", False) and time.time() + wait < give_up:
                    time.sleep(wait)
                else:
                    raise self._error.with_traceback(None)
            return token

    def _usable(self, rejected: str | None) -> Token | None:
        now, token = time.time(), self._token
        if not token or now >= token.ends - 1 or (token.fingerprint == rejected and now >= self._active):
            return None
        return token if token.ends - now >= self._min_life or now < self._calm else None

    def _ask(self, rejected: str | None) -> None:
        now = time.time()
        self._calm = now + 120  # meanwhile the others use the token that is still valid
        request = {"connection": self._connection, "min_ttl_seconds": self._min_life}
        if self._token and self._token.fingerprint == rejected:
            request["rejected_fingerprint"] = rejected
        try:
            answer = self._invoke(request)
            token = Token(answer["access_token"], answer["fingerprint"], now + answer["expires_in"])
        except Exception as error:  # the SDK's own too: the SDK has tried again
            self._error, self._errors = error, self._errors + 1
            self._until = time.time() + _pause(error, self._errors)
            return
        self._token, self._errors = token, 0
        self._active = time.time() + 30 if token.fingerprint == rejected else 0

    def _invoke(self, request: dict) -> dict:
        answer = self._lambda.invoke(FunctionName=self._function, Payload=json.dumps(request))
        payload = json.load(answer["Payload"])
        if "FunctionError" not in answer:
            return payload
        kind = payload.get("errorType", "Internal")
        passes = kind in PASSING or kind.startswith(("Runtime.", "Sandbox."))
        raise type(kind, (TokenError,), {"passes": passes})(payload.get("errorMessage", ""))


def _pause(error: Exception, errors: int) -> float:
    """How many seconds an error is raised again, without another invocation."""
    if not getattr(error, "passes", False):
        return 10
    if said := re.search(r"retry after (\d+) s", str(error)):
        return int(said[1]) * random.uniform(1, 1.2)
    return min(2 ** (errors - 1), 15) * random.uniform(0.5, 1)
