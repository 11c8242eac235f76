"""What a client remembers, and what it decides. Nothing here waits, locks or asks."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple

from ._answer import MAX_RETRY_AFTER

if TYPE_CHECKING:
    from ._errors import Failure
    from ._token import Answer

ASK_EVERY = 30.0  # how often a newer token is asked for while the kept one is valid
REFUSED_FOR = 10.0  # how long an error that does not pass is repeated
FIRST_WAIT, LONGEST_WAIT = 1.0, 15.0  # after failures that name no time


class Need(NamedTuple):
    """What decides the answer. Callers with the same need share an invocation."""

    min_ttl: float
    rejected: str


class Verdict(enum.Enum):
    """What a caller does."""

    USE = "use the kept token"
    EARLY = "ask for the next token; the kept one is valid"
    LONGER = "ask for a longer life; the kept token is valid"
    MUST = "ask, because there is no usable token"
    REFUSED = "raise the last failure, which is recent"


class Memory:
    """The state of one connection's token."""

    def __init__(self) -> None:
        self.kept: Answer | None = None
        self.asked = 0.0  # when the invocation began that brought it
        self.ends = 0.0  # until when it is used
        self.ageing = 0.0  # from when the next one is asked for
        self.calm = self.calm_life = 0.0  # until then no newer token and no longer life is asked for
        self.reported = float("-inf")  # when the kept token was reported and came again
        self.failure: Failure | None = None
        self.since = self.until = 0.0  # when the failure is repeated
        self.failures = 0  # in a row

    def judge(self, need: Need, now: float) -> Verdict:
        """Decide for one caller."""
        if not self.valid(now) or self.refuses(need.rejected, now):
            return Verdict.REFUSED if self.troubled(now) else Verdict.MUST
        if self.troubled(now):
            return Verdict.USE
        if self.left(now) < need.min_ttl and now >= self.calm_life:
            return Verdict.LONGER
        if now >= self.ageing and now >= self.calm:
            return Verdict.EARLY
        return Verdict.USE

    def valid(self, now: float) -> bool:
        """Report whether the kept token is used. If the clock was set back, that is not known."""
        return self.kept is not None and self.asked <= now < self.ends

    def left(self, now: float) -> float:
        """Return the seconds until the kept token expires."""
        return self.kept.ends - now if self.kept else 0.0

    def refuses(self, rejected: str, now: float) -> bool:
        """Report whether the kept token is the rejected one and was not reported lately."""
        kept = self.kept
        return (
            kept is not None and rejected == kept.fingerprint and not self.reported <= now < self.reported + ASK_EVERY
        )

    def troubled(self, now: float) -> bool:
        """Report whether the last failure is still repeated."""
        return self.failure is not None and self.since <= now < self.until

    def narrow(self, need: Need, now: float) -> Need:
        """Return the need without the report of a token that was replaced, or reported lately."""
        if self.valid(now) and not self.refuses(need.rejected, now):
            return need._replace(rejected="")
        return need

    def learn(self, need: Need, answer: Answer, asked: float, now: float, margin: float) -> None:
        """Remember an answer. margin is how long before its end the next token is asked for."""
        self.failure, self.failures = None, 0
        kept = self.kept
        if kept and self.valid(now) and kept.fingerprint != need.rejected and kept.version > answer.version:
            return  # issue's own memory may lag
        again = kept is not None and kept.fingerprint == answer.fingerprint
        if not again:
            self.calm = self.calm_life = 0.0
            self.reported = float("-inf")
        self.kept, self.asked, self.ageing = answer, asked, answer.ends - margin
        # One that came again, or in its last second, is used until its end: asking brings it once more.
        self.ends = answer.ends if again or now >= answer.ends - 1 else answer.ends - 1
        if answer.fingerprint == need.rejected:
            self.reported = now
        if answer.ends - now < need.min_ttl:
            self.calm_life = now + ASK_EVERY
        if now >= self.ageing:
            self.calm = now + ASK_EVERY

    def fail(self, failure: Failure, now: float, jitter: float) -> None:
        """Remember a failure. jitter, from 0 to 1, spreads callers that failed together."""
        if not failure.stored:
            return
        self.failures += 1
        self.failure, self.since, self.until = failure, now, now + pause(failure, self.failures, jitter)


def pause(failure: Failure, failures: int, jitter: float) -> float:
    """Return how many seconds a failure is repeated without asking again."""
    if not failure.awaited:
        return REFUSED_FOR * (1 + jitter / 5)
    if failure.retry_after:
        return min(failure.retry_after, MAX_RETRY_AFTER) * (1 + jitter / 5)
    return min(FIRST_WAIT * 2.0 ** min(failures - 1, 10), LONGEST_WAIT) * (1 + jitter) / 2
