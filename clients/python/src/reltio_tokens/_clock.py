"""The clock of a client, and its randomness: what a test replaces."""

from __future__ import annotations

import asyncio
import random
import time


class Clock:
    """Tells the time and waits. A test gives Tokens another one."""

    def now(self) -> float:
        """Return the seconds since 1970, which go on while an execution environment is frozen."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that no one sets back. They bound how long a call takes."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait in a thread."""
        time.sleep(seconds)

    async def sleep_async(self, seconds: float) -> None:
        """Wait in a task."""
        await asyncio.sleep(seconds)

    def random(self) -> float:
        """Return a number from 0 to 1, so that many processes do not ask all at once."""
        return random.random()  # noqa: S311 # jitter is no secret
