"""Asks the extension reltio-tokens for the access token of a Reltio connection."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from http.client import HTTPConnection
from urllib.parse import urlencode


class TokenError(Exception):
    """There is no token. The class of each is named for the extension's errorType."""


@dataclass(frozen=True)
class Token:
    text: str = field(repr=False)  # so that no log shows it
    fingerprint: str


class Tokens:
    """The tokens of one connection; the extension keeps them. Threads share it."""

    def __init__(self, connection: str, min_life: int = 0) -> None:
        """min_life is how many seconds a token should still be valid: as long as the longest job
        that uses one token."""
        self._connection, self._min_life = connection, min_life

    def get(self, rejected: str | None = None) -> Token:
        """A valid token. rejected is the fingerprint of a token that Reltio answered with 401."""
        if rejected:
            return self._ask("POST", "/rejected", {"connection": self._connection, "fingerprint": rejected})
        query = {"connection": self._connection, "min_ttl_seconds": self._min_life}
        return self._ask("GET", "/token?" + urlencode(query))

    def _ask(self, method: str, path: str, body: dict | None = None) -> Token:
        port = int(os.environ.get("RELTIO_TOKENS_PORT", "2775"))
        extension = HTTPConnection("127.0.0.1", port, timeout=30)  # knows no proxy
        try:
            session = {"X-Reltio-Tokens-Session": os.environ["AWS_SESSION_TOKEN"]}
            extension.request(method, path, json.dumps(body) if body else None, session)
            response = extension.getresponse()
            answer = json.load(response)
        finally:
            extension.close()
        if response.status != 200:
            raise type(answer["errorType"], (TokenError,), {})(answer["errorMessage"])
        return Token(answer["access_token"], answer["fingerprint"])
