"""urllib3 with the token of a connection: TokenManager."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import urllib3

from ._hosts import RELTIO, check, quiet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._tokens import Tokens


class TokenManager(urllib3.PoolManager):
    """A PoolManager that signs requests.

    A request that Reltio answers with 401 is sent once more if its token was replaced. The token
    goes to the hosts alone, over https (http: to this machine); a redirect to another host goes
    without it.
    """

    def __init__(self, tokens: Tokens, *, hosts: Sequence[str] = RELTIO, **options: Any) -> None:
        super().__init__(**options)
        self._tokens, self._hosts = tokens, tuple(hosts)

    def urlopen(self, method: str, url: str, redirect: bool = True, **kw: Any) -> Any:  # type: ignore[override]
        """Send a request, and once more after a 401 if there is another token."""
        retries = kw.get("retries")
        if isinstance(retries, urllib3.Retry) and any(step.redirect_location for step in retries.history):
            return super().urlopen(method, url, redirect=redirect, **kw)  # a redirect, which urllib3 has judged
        check(url, self._hosts)
        token = self._tokens.get()
        response = self._send(token.authorization, method, url, redirect, kw)
        if response.status != 401:
            return response
        other = self._tokens.get(rejected=token.fingerprint)
        body = kw.get("body")
        if other.fingerprint == token.fingerprint or not (body is None or isinstance(body, (bytes, str))):
            return response
        response.drain_conn()
        return self._send(other.authorization, method, url, redirect, kw)

    def _send(self, authorization: str, method: str, url: str, redirect: bool, kw: dict[str, Any]) -> Any:
        headers = dict(kw.get("headers") or self.headers)
        headers["Authorization"] = authorization
        try:
            return super().urlopen(method, url, redirect=redirect, **{**kw, "headers": headers})
        except BaseException as error:  # noqa: BLE001 # it is raised again
            raise quiet(error)  # noqa: B904 # it is the same error
