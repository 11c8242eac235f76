"""httpx with the token of a connection: TokenClient, AsyncTokenClient, and TokenAuth for clients of yours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from ._hosts import RELTIO, check, quiet
from ._tokens import AsyncTokens, Tokens

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Sequence


class TokenAuth(httpx.Auth):
    """Signs requests. One that Reltio answers with 401 is sent once more if its token was replaced.

    It takes Tokens for a Client, AsyncTokens for an AsyncClient. The token goes to the hosts alone,
    over https (http: to this machine); httpx itself sends a redirect to another host without it.
    """

    def __init__(self, tokens: Tokens | AsyncTokens, *, hosts: Sequence[str] = RELTIO) -> None:
        self._tokens, self._hosts = tokens, tuple(hosts)

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign the request of a Client."""
        if not isinstance(self._tokens, Tokens):
            raise TypeError("a Client needs Tokens")
        check(str(request.url), self._hosts)
        token = self._tokens.get()
        request.headers["Authorization"] = token.authorization
        response = yield request
        if response.status_code == 401:
            other = self._tokens.get(rejected=token.fingerprint)
            if other.fingerprint != token.fingerprint and _repeatable(request):
                response.read()
                request.headers["Authorization"] = other.authorization
                yield request

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Sign the request of an AsyncClient."""
        if not isinstance(self._tokens, AsyncTokens):
            raise TypeError("an AsyncClient needs AsyncTokens")
        check(str(request.url), self._hosts)
        token = await self._tokens.get()
        request.headers["Authorization"] = token.authorization
        response = yield request
        if response.status_code == 401:
            other = await self._tokens.get(rejected=token.fingerprint)
            if other.fingerprint != token.fingerprint and _repeatable(request):
                await response.aread()
                request.headers["Authorization"] = other.authorization
                yield request


def _repeatable(request: httpx.Request) -> bool:
    """Report whether the body is in memory, so that it can be sent again."""
    return isinstance(request.stream, httpx.ByteStream)


class TokenClient(httpx.Client):
    """A client that signs its requests; its errors show no token, in a traceback with locals either."""

    def __init__(self, tokens: Tokens, *, hosts: Sequence[str] = RELTIO, **options: Any) -> None:
        super().__init__(auth=TokenAuth(tokens, hosts=hosts), **options)

    def send(self, request: httpx.Request, **kw: Any) -> httpx.Response:
        """Send a request."""
        try:
            return super().send(request, **kw)
        except BaseException as error:  # noqa: BLE001 # it is raised again
            raise quiet(error)  # noqa: B904 # it is the same error


class AsyncTokenClient(httpx.AsyncClient):
    """The same for the tasks of asyncio, with AsyncTokens."""

    def __init__(self, tokens: AsyncTokens, *, hosts: Sequence[str] = RELTIO, **options: Any) -> None:
        super().__init__(auth=TokenAuth(tokens, hosts=hosts), **options)

    async def send(self, request: httpx.Request, **kw: Any) -> httpx.Response:
        """Send a request."""
        try:
            return await super().send(request, **kw)
        except BaseException as error:  # noqa: BLE001 # it is raised again
            raise quiet(error)  # noqa: B904 # it is the same error
