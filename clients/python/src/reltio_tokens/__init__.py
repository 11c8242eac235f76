"""Access tokens for Reltio's API, from the Lambda function issue.

    from reltio_tokens import Tokens

    tokens = Tokens("acme-prod")  # once for each process, outside the handler
    token = tokens.get()
    send(f"{token.api_url}/entities/1", {"Authorization": token.authorization})

A token is kept until its end, and asked for once for all callers. A call takes as long as its
timeout at most, and 5 s if there is a valid token. A failure is a TokenError, whose class is named
for the error type of issue. No error, repr or pickle holds a token.
"""

from ._clock import Clock
from ._errors import (
    AccessDenied,
    ConnectionPaused,
    CredentialsRejected,
    Internal,
    InvalidAnswer,
    InvalidConnection,
    InvalidRequest,
    MFARequired,
    RateLimited,
    ReauthorizationRequired,
    ReltioUnavailable,
    StoreUnavailable,
    TokenError,
    TokenLimitReached,
    UnknownConnection,
)
from ._token import Token
from ._tokens import AsyncTokens, Tokens

__all__ = [
    "AccessDenied",
    "AsyncTokens",
    "Clock",
    "ConnectionPaused",
    "CredentialsRejected",
    "Internal",
    "InvalidAnswer",
    "InvalidConnection",
    "InvalidRequest",
    "MFARequired",
    "RateLimited",
    "ReauthorizationRequired",
    "ReltioUnavailable",
    "StoreUnavailable",
    "Token",
    "TokenError",
    "TokenLimitReached",
    "Tokens",
    "UnknownConnection",
]
