"""Asks the extension, which runs beside the function."""

from __future__ import annotations

import json
import os
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from ._answer import MAX_ANSWER, read_answer, read_function_error
from ._errors import Failure
from ._lambda import INVOKE_TIME

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._memory import Need
    from ._token import Answer


class ExtensionAsker:
    """Makes one request to the extension."""

    def forget(self) -> None:
        """Drop nothing: each request has a connection of its own."""

    def ask(self, connection: str, need: Need, now: Callable[[], float]) -> Answer | Failure:
        """Ask once. It never raises."""
        session, port = os.environ.get("AWS_SESSION_TOKEN"), os.environ.get("RELTIO_TOKENS_PORT") or "2775"
        if not session:
            return Failure("InvalidRequest", "AWS_SESSION_TOKEN is missing: the extension is for Lambda functions")
        if not port.isdecimal() or not 0 < int(port) < 65536:
            return Failure("InvalidRequest", "RELTIO_TOKENS_PORT: must be a port")
        asked = now()
        try:
            status, payload = _request(int(port), session, connection, need)
        except (OSError, HTTPException, UnicodeError) as error:
            return Failure("StoreUnavailable", f"{type(error).__name__}: the extension was not reached")
        return read_answer(payload, asked) if status == 200 else read_function_error(payload)


def _request(port: int, session: str, connection: str, need: Need) -> tuple[int, bytes]:
    extension = HTTPConnection("127.0.0.1", port, timeout=INVOKE_TIME)  # knows no proxy
    header = {"X-Reltio-Tokens-Session": session}
    try:
        if need.rejected:
            body = json.dumps({"connection": connection, "fingerprint": need.rejected})
            extension.request("POST", "/rejected", body, header)
        else:
            query = {"connection": connection, "min_ttl_seconds": -int(-need.min_ttl // 1)}
            extension.request("GET", "/token?" + urlencode(query), headers=header)
        response = extension.getresponse()
        return response.status, response.read(MAX_ANSWER + 1)
    finally:
        extension.close()
