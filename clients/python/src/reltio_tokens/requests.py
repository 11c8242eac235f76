"""requests with the token of a connection: TokenSession, and TokenAuth for a session of yours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests
from requests.auth import AuthBase

from ._hosts import RELTIO, check, quiet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._tokens import Tokens


class TokenAuth(AuthBase):
    """Signs requests. One that Reltio answers with 401 is sent once more if its token was replaced.

    The token goes to the hosts alone, over https (http: to this machine); requests itself sends a
    redirect to another host without it.
    """

    def __init__(self, tokens: Tokens, *, hosts: Sequence[str] = RELTIO) -> None:
        self._tokens, self._hosts = tokens, tuple(hosts)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a request."""
        check(request.url or "", self._hosts)
        token = self._tokens.get()
        request.headers["Authorization"] = token.authorization

        def again(response: requests.Response, **kw: Any) -> requests.Response:
            sent = response.request.headers.get("Authorization")
            if response.status_code != 401 or sent != token.authorization:
                return response
            other = self._tokens.get(rejected=token.fingerprint)
            body = response.request.body
            if other.fingerprint == token.fingerprint or not (body is None or isinstance(body, (bytes, str))):
                return response
            response.content  # noqa: B018 # read, so that the connection can be used again
            response.close()
            repeated = response.request.copy()
            repeated.headers["Authorization"] = other.authorization
            second: requests.Response = response.connection.send(repeated, **kw)
            second.history.append(response)
            second.request = repeated
            return second

        request.register_hook("response", again)  # type: ignore[no-untyped-call]
        return request


class TokenSession(requests.Session):
    """A session that signs its requests; its errors show no token, in a traceback with locals either."""

    def __init__(self, tokens: Tokens, *, hosts: Sequence[str] = RELTIO) -> None:
        super().__init__()
        self.auth = TokenAuth(tokens, hosts=hosts)

    def send(self, request: requests.PreparedRequest, **kw: Any) -> requests.Response:
        """Send a request."""
        try:
            return super().send(request, **kw)
        except BaseException as error:  # noqa: BLE001 # it is raised again
            raise quiet(error)  # noqa: B904 # it is the same error
