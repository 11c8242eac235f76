"""Where the token may be sent, and errors that do not show it."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Sequence

RELTIO = ("*.reltio.com",)


def check(url: str, hosts: Sequence[str]) -> None:
    """Refuse a URL that the token must not be sent to."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    secure = parts.scheme == "https" or (parts.scheme == "http" and _loopback(host))
    if not secure or not any(
        _matches(pattern, host, _port(parts.scheme, parts.port), parts.scheme) for pattern in hosts
    ):
        raise ValueError(f"{host} over {parts.scheme} is not in hosts: no token goes there")


def _matches(pattern: str, host: str, port: int, scheme: str) -> bool:
    """Report whether a host and port are those of a pattern: host, host:port or *.domain."""
    allowed = urlsplit("//" + pattern.lower())
    if _port(scheme, allowed.port) != port:
        return False
    want = allowed.hostname or ""
    if want.startswith("*."):
        return host.endswith(want[1:]) and len(host) > len(want) - 1
    return bool(host) and host == want


def _port(scheme: str, port: int | None) -> int:
    return port or (80 if scheme == "http" else 443)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def quiet(error: BaseException) -> BaseException:
    """Return the error without the frames of the libraries below, whose variables hold the header."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        one = pending.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            one.__traceback__ = None
            pending += [one.__cause__, one.__context__]
    return error
