"""The token that a caller gets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, NoReturn, SupportsIndex


class Header(str):
    """The value of a header. Printing it does not show it, in a traceback with locals either."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'Bearer ...'"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of issue, as it is kept. ends is when the token expires, by this machine's clock."""

    access_token: Header
    token_type: str
    scope: str
    ends: float
    fingerprint: str
    version: int
    api_url: str
    tenant_id: str
    warnings: tuple[str, ...]


class Token:
    """An access token. Printing it shows its fingerprint, and it cannot be pickled: pass Tokens instead."""

    __slots__ = ("_answer", "_min_ttl_met")

    def __init__(self, answer: Answer, *, min_ttl_met: bool) -> None:
        self._answer = answer
        self._min_ttl_met = min_ttl_met

    @property
    def access_token(self) -> str:
        """The token itself."""
        return str.__str__(self._answer.access_token)

    @property
    def authorization(self) -> str:
        """The value of the header Authorization. Its repr does not show the token."""
        return Header("Bearer " + self._answer.access_token)

    @property
    def token_type(self) -> str:
        """As Reltio sent it, "bearer"."""
        return self._answer.token_type

    @property
    def scope(self) -> str:
        """As Reltio sent it, separated by spaces."""
        return self._answer.scope

    @property
    def expires_at(self) -> datetime:
        """The token's deadline by this machine's clock, even if that clock is wrong."""
        return datetime.fromtimestamp(self._answer.ends, timezone.utc)

    @property
    def fingerprint(self) -> str:
        """Names the token without showing it."""
        return self._answer.fingerprint

    @property
    def version(self) -> int:
        """Rises with each new token of the connection."""
        return self._answer.version

    @property
    def min_ttl_met(self) -> bool:
        """Whether as much life is left as was asked for."""
        return self._min_ttl_met

    @property
    def api_url(self) -> str:
        """Where the token is used, as the connection's secret has it; empty if it does not."""
        return self._answer.api_url

    @property
    def tenant_id(self) -> str:
        """The tenant, as the connection's secret has it; empty if it does not."""
        return self._answer.tenant_id

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know although there is a token."""
        return self._answer.warnings

    def __repr__(self) -> str:
        return f"Token({self.fingerprint}, expires_at={self.expires_at:%Y-%m-%dT%H:%M:%SZ})"

    def __copy__(self) -> Token:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Token:
        return self

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        """Refuse to be pickled."""
        raise TypeError("a Token is not pickled: pass Tokens, and get the token where it is used")
