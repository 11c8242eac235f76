"""The error of a call that has no token to give."""

from __future__ import annotations

import functools
from typing import Any

_AWAITED = ("RateLimited", "ReltioUnavailable", "StoreUnavailable", "Internal")
_RUNTIME = ("Runtime.", "Sandbox.", "Extension.")


class TokenError(Exception):
    """There is no token.

    The class is named for the error type of issue, so that Step Functions can name it. No error
    holds a secret. An error can be pickled.
    """

    type: str
    message: str
    connection: str
    retry_after: float | None

    def __init__(self, message: str = "", *, connection: str = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.type = type(self).__name__
        self.message = message
        self.connection = connection
        self.retry_after = retry_after

    @property
    def temporary(self) -> bool:
        """Whether the same call can succeed without a person changing something."""
        return self.type == "TokenLimitReached" or self._awaited

    @property
    def _awaited(self) -> bool:
        """Whether a call waits for the error to pass."""
        return self.type in _AWAITED or self.type.startswith(_RUNTIME)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the error by its type's name, because its class may have been made for it."""
        return token_error, (self.type, self.message, self.connection, self.retry_after)


class InvalidRequest(TokenError):
    """The request is malformed, or Lambda knows no such function."""


class UnknownConnection(TokenError):
    """No connection has this name."""


class AccessDenied(TokenError):
    """The alias may not have the connection, or the role may not invoke issue."""


class InvalidConnection(TokenError):
    """The connection's secret is malformed, or Reltio does not know what it asks for."""


class CredentialsRejected(TokenError):
    """Reltio refused the credentials."""


class MFARequired(TokenError):
    """The user needs a second factor."""


class ReauthorizationRequired(TokenError):
    """A person must log in."""


class ConnectionPaused(TokenError):
    """An operator paused the connection, and it has no valid token."""


class TokenLimitReached(TokenError):
    """The client has as many tokens as it may have, which can last as long as a token."""


class RateLimited(TokenError):
    """Too many requests, at Reltio or at Lambda."""


class ReltioUnavailable(TokenError):
    """Reltio does not answer, and there is no valid token."""


class StoreUnavailable(TokenError):
    """DynamoDB, Secrets Manager, Lambda or the network is failing, or issue does not answer."""


class Internal(TokenError):
    """A defect of issue."""


class InvalidAnswer(TokenError):
    """The function's answer is none of issue. Most likely another function was invoked."""


@functools.cache
def _class_of(name: str) -> type[TokenError]:
    """Return the class of an error type; one that this release does not know gets a class of its own."""
    for known in TokenError.__subclasses__():
        if known.__name__ == name:
            return known
    return type(name, (TokenError,), {"__doc__": "An error type that this release does not know."})


def token_error(name: str, message: str, connection: str = "", retry_after: float | None = None) -> TokenError:
    """Make an error of a type."""
    return _class_of(name)(message, connection=connection, retry_after=retry_after)


class Failure:
    """What went wrong, as it is remembered: every caller gets an error of its own."""

    __slots__ = ("message", "retry_after", "stored", "type")

    def __init__(self, kind: str, message: str = "", *, retry_after: float | None = None, stored: bool = True) -> None:
        self.type = kind
        self.message = message
        self.retry_after = retry_after
        self.stored = stored  # False: the next request may be valid

    def error(self, connection: str) -> TokenError:
        """Make the error of one caller."""
        return token_error(self.type, self.message, connection, self.retry_after)

    @property
    def awaited(self) -> bool:
        """Whether a call waits for it to pass."""
        return self.type in _AWAITED or self.type.startswith(_RUNTIME)
