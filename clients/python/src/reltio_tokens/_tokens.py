"""Tokens for threads, and for tasks."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import os
from typing import TYPE_CHECKING, Any, Literal

from ._clock import Clock
from ._errors import Failure
from ._extension import ExtensionAsker
from ._lambda import LambdaAsker
from ._memory import Verdict
from ._source import EARLY_TIME, Asker, Pass, Source
from ._token import Token

if TYPE_CHECKING:
    from ._errors import TokenError
    from ._memory import Need


class _Base:
    """The options and the state of both classes."""

    def __init__(
        self,
        connection: str,
        *,
        via: Literal["lambda", "extension"] | None = None,
        function: str | None = None,
        min_ttl: float = 0,
        refresh_before: float = 30,
        timeout: float = 60,
        max_retry_wait: float | None = None,
        client: Any = None,
        clock: Clock | None = None,
    ) -> None:
        """Make one for each process, outside the handler.

        connection: its name.
        via: "lambda" (boto3) or "extension"; by default what RELTIO_TOKENS_VIA says, or "lambda".
        function: name or ARN of issue; by default what RELTIO_TOKENS_FUNCTION says, or "issue".
        min_ttl: how many seconds each token should be valid for, as long as the longest job with one.
        refresh_before: how many seconds before a token's end, at least, the next one is asked for.
            A negative number: not before the end.
        timeout: how many seconds one call takes at most.
        max_retry_wait: how many seconds a call waits at most before it asks again; 0: it does not wait.
        client: a client of boto3 to use instead of an own one.
        clock: for tests.
        """
        via = via or ("extension" if os.environ.get("RELTIO_TOKENS_VIA") == "extension" else "lambda")
        if via not in ("lambda", "extension"):
            raise ValueError("via: must be lambda or extension")
        if not isinstance(connection, str) or not connection:
            raise ValueError("connection: is missing")
        if not timeout > 0:
            raise ValueError("timeout: must be more than 0")
        self._options: dict[str, Any] = {
            "via": via,
            "function": function,
            "min_ttl": min_ttl,
            "refresh_before": refresh_before,
            "timeout": timeout,
            "max_retry_wait": max_retry_wait,
        }
        self._connection, self._min_ttl, self._timeout, self._max_retry_wait = (
            connection,
            min_ttl,
            timeout,
            max_retry_wait,
        )
        self._foreign = client is not None or clock is not None
        self._clock = clock or Clock()
        asker: Asker = ExtensionAsker() if via == "extension" else LambdaAsker(function, client)
        self._source = Source(connection, asker, self._clock, refresh_before)

    def _begin(self, min_ttl: float | None, rejected: str | None, timeout: float | None) -> tuple[Need, float, float]:
        """Return what is needed, how long that may take, and until when."""
        need = self._source.need(max(min_ttl or 0, self._min_ttl), rejected)
        allowed = self._timeout if timeout is None else min(timeout, self._timeout)
        return need, allowed, self._clock.monotonic() + allowed

    def _pause(self, at: Pass, left: float) -> float:
        """Return how long to wait for a failure to pass, or raise it."""
        failure = at.failure or Failure("Internal")
        pause = max(at.until - self._clock.now(), 0)
        longest = self._max_retry_wait
        if not failure.awaited or pause >= left or (longest is not None and pause > longest):
            raise self._source.error(failure)
        return pause

    def _gave_up(self, last: Failure | None, allowed: float) -> TokenError:
        return self._source.error(last or Failure("StoreUnavailable", f"there was no answer within {allowed:g} s"))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._connection!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the options; the other process gets a token of its own."""
        if self._foreign:
            raise TypeError(f"{type(self).__name__} with a client or clock of yours is not pickled")
        return functools.partial(type(self), self._connection, **self._options), ()


class Tokens(_Base):
    """The token of one connection. Threads and forked processes share it."""

    def get(self, *, min_ttl: float | None = None, rejected: str | None = None, timeout: float | None = None) -> Token:
        """Return a valid token, or raise a TokenError. It waits only if no kept token can be used.

        min_ttl: how many seconds it should be valid for, if longer than that of Tokens.
        rejected: the fingerprint of a token that Reltio answered with 401.
        timeout: how many seconds this call takes at most, if less than that of Tokens.
        """
        need, allowed, deadline = self._begin(min_ttl, rejected, timeout)
        last: Failure | None = None
        while (left := deadline - self._clock.monotonic()) > 0:
            at = self._source.join(need)
            if at.token:
                return at.token
            if at.flight is None:
                last = at.failure
                self._clock.sleep(self._pause(at, left))
                continue
            try:
                concurrent.futures.wait([at.flight.done], _bound(at, left))
            finally:
                self._source.leave(at)
            result = self._source.settle(at, need)
            if isinstance(result, Token):
                return result
            if result:
                raise self._source.error(result)
        raise self._gave_up(last, allowed)


class AsyncTokens(_Base):
    """The same for the tasks of asyncio."""

    async def get(
        self,
        *,
        min_ttl: float | None = None,
        rejected: str | None = None,
        timeout: float | None = None,
    ) -> Token:
        """Return a valid token, or raise a TokenError: see Tokens.get."""
        need, allowed, deadline = self._begin(min_ttl, rejected, timeout)
        last: Failure | None = None
        while (left := deadline - self._clock.monotonic()) > 0:
            at = self._source.join(need)
            if at.token:
                return at.token
            if at.flight is None:
                last = at.failure
                await self._clock.sleep_async(self._pause(at, left))
                continue
            done = asyncio.wrap_future(at.flight.done)
            try:
                await asyncio.wait({done}, timeout=_bound(at, left))
            finally:
                done.cancel()
                self._source.leave(at)
            result = self._source.settle(at, need)
            if isinstance(result, Token):
                return result
            if result:
                raise self._source.error(result)
        raise self._gave_up(last, allowed)


def _bound(at: Pass, left: float) -> float:
    """Return how long a caller waits for an invocation: 5 s at most if it has a valid token."""
    return left if at.verdict is Verdict.MUST else min(left, EARLY_TIME)
