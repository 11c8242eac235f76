"""Shares one invocation among all callers that need it: threads, tasks, both."""

from __future__ import annotations

import os
import threading
import weakref
from concurrent.futures import Future
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ._answer import is_fingerprint
from ._errors import Failure, TokenError
from ._lambda import INVOKE_TIME
from ._memory import ASK_EVERY, Memory, Need, Verdict
from ._token import Answer, Token

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._clock import Clock

EARLY_TIME = 5.0  # how long a caller that has a valid token waits for another one
MAX_MIN_TTL = 86400


class Asker(Protocol):
    """Asks for a token once: through Lambda's API, or the extension."""

    def ask(self, connection: str, need: Need, now: Callable[[], float]) -> Answer | Failure:
        """Ask. It never raises."""

    def forget(self) -> None:
        """Drop what a forked process shares with its parent."""


class Flight:
    """An invocation in progress. done has a result when the invocation has one."""

    __slots__ = ("began", "done", "waiting")

    def __init__(self, began: float) -> None:
        self.began = began  # by the wall clock
        self.waiting = 0
        self.done: Future[Answer | Failure] = Future()
        self.done.set_running_or_notify_cancel()  # from now on no waiting task can cancel it

    def lost(self, now: float) -> bool:
        """Report whether it has taken longer than it can: the environment was frozen with it."""
        return not self.began <= now <= self.began + INVOKE_TIME


class Pass(NamedTuple):
    """What a caller gets: a token, an invocation to wait for, or a failure until a moment."""

    verdict: Verdict
    need: Need
    token: Token | None = None
    flight: Flight | None = None
    failure: Failure | None = None
    until: float = 0.0


class Source:
    """The token of one connection, and the invocations in progress."""

    def __init__(self, connection: str, asker: Asker, clock: Clock, refresh_before: float) -> None:
        self._connection, self._asker, self._clock, self._refresh_before = connection, asker, clock, refresh_before
        self._memory = Memory()
        self._flights: dict[Need, Flight] = {}
        self._lock = threading.RLock()  # guards the two above; never held while something is asked
        _sources.add(self)

    def need(self, min_ttl: float, rejected: str | None) -> Need:
        """Check what a caller wants before anything is sent."""
        if not 0 <= min_ttl <= MAX_MIN_TTL:
            raise Failure("InvalidRequest", f"min_ttl: must be from 0 to {MAX_MIN_TTL}").error(self._connection)
        if rejected and not is_fingerprint(rejected):
            raise Failure("InvalidRequest", "rejected: must be the fingerprint of a token").error(self._connection)
        return Need(min_ttl, rejected or "")

    def join(self, wanted: Need) -> Pass:
        """Decide what a caller does, and begin an invocation if one is needed."""
        with self._lock:
            now, memory = self._clock.now(), self._memory
            need, verdict = memory.narrow(wanted, now), memory.judge(wanted, now)
            if verdict is Verdict.USE:
                return Pass(verdict, need, token=self._kept(wanted, now))
            if verdict is Verdict.REFUSED:
                return Pass(verdict, need, failure=memory.failure, until=memory.until)
            if verdict is Verdict.EARLY:
                memory.calm = now + ASK_EVERY  # whatever comes of it: the others use the kept token
            flight = self._flights.get(need)
            begun = flight is None or flight.lost(now)
            if flight is None or begun:
                flight = self._flights[need] = Flight(now)
            flight.waiting += 1
        if begun:
            self._begin(need, flight)
        return Pass(verdict, need, flight=flight)

    def _begin(self, need: Need, flight: Flight) -> None:
        """Ask in a thread, because boto3 cannot be told to stop waiting."""
        try:
            threading.Thread(target=self._fly, args=(need, flight), name="reltio-tokens", daemon=True).start()
        except RuntimeError:
            self._finish(need, flight, 0, Failure("StoreUnavailable", "no thread can be started"))

    def _fly(self, need: Need, flight: Flight) -> None:
        asked = self._clock.now()
        result: Answer | Failure = Failure("Internal", "the invocation was ended")
        try:
            result = self._asker.ask(self._connection, need, self._clock.now)
        finally:
            self._finish(need, flight, asked, result)

    def _finish(self, need: Need, flight: Flight, asked: float, result: Answer | Failure) -> None:
        """Remember the result, and wake those who wait."""
        with self._lock:
            now = self._clock.now()
            if self._flights.get(need) is flight:
                del self._flights[need]
            if isinstance(result, Answer) and not asked <= now < result.ends:
                result = Failure("ReltioUnavailable", "the token had expired when it came")
            if isinstance(result, Answer):
                margin = 0.0 if self._refresh_before < 0 else self._refresh_before * (1 + self._clock.random())
                self._memory.learn(need, result, asked, now, margin)
                result = self._memory.kept or result
            elif flight.waiting > 0:
                self._memory.fail(result, now, self._clock.random())
        flight.done.set_result(result)

    def leave(self, at: Pass) -> None:
        """End a caller's wait. Nobody joins an invocation any more that nobody waits for."""
        with self._lock:
            flight = at.flight
            if flight is None:
                return
            flight.waiting -= 1
            if flight.done.done():
                return
            if at.verdict is Verdict.LONGER:
                self._memory.calm_life = self._clock.now() + ASK_EVERY
            if flight.waiting == 0 and self._flights.get(at.need) is flight:
                del self._flights[at.need]

    def settle(self, at: Pass, wanted: Need) -> Token | Failure | None:
        """Return what a caller gets after its wait; None: it joins again."""
        with self._lock:
            now, flight = self._clock.now(), at.flight
            result = flight.done.result() if flight and flight.done.done() else None
            if isinstance(result, Answer) and now < result.ends:
                return Token(result, min_ttl_met=result.ends - now >= wanted.min_ttl)
            if at.verdict is not Verdict.MUST and self._memory.valid(now):
                return self._kept(wanted, now)
            return result if isinstance(result, Failure) and not result.awaited else None

    def _kept(self, wanted: Need, now: float) -> Token | None:
        kept = self._memory.kept
        return Token(kept, min_ttl_met=kept.ends - now >= wanted.min_ttl) if kept else None

    def error(self, failure: Failure) -> TokenError:
        """Make the error of one caller."""
        return failure.error(self._connection)

    def hold(self) -> None:
        """Hold the state still while the process is forked."""
        self._lock.acquire()

    def release(self) -> None:
        """Go on in the parent."""
        self._lock.release()

    def forget(self) -> None:
        """Go on in the child, which has one thread and none of the invocations."""
        self._lock = threading.RLock()
        self._flights = {}
        self._asker.forget()


_sources: weakref.WeakSet[Source] = weakref.WeakSet()
_forking = threading.local()


def _before_fork() -> None:
    _forking.held = list(_sources)
    for source in _forking.held:
        source.hold()


def _after_in_parent() -> None:
    for source in _forking.held:
        source.release()
    _forking.held = []


def _after_in_child() -> None:
    for source in _forking.held:
        source.forget()
    _forking.held = []


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(before=_before_fork, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
