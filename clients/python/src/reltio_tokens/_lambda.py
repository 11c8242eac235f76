"""Asks issue through Lambda's API, with boto3."""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING, Any

from ._answer import MAX_ANSWER, one_line, read_answer, read_function_error, read_status
from ._errors import Failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._memory import Need
    from ._token import Answer

INVOKE_TIME = 30.0  # the longest that one invocation may take


class _Own:
    """The client of a process, for all connections. It keeps no connection to Lambda."""

    def __init__(self) -> None:
        self._client: Any = None
        self._lock = threading.Lock()

    def forget(self) -> None:
        self._client, self._lock = None, threading.Lock()

    def get(self) -> Any:
        from boto3.session import Session  # noqa: PLC0415 # reading it takes a tenth of a second
        from botocore.config import Config  # noqa: PLC0415

        with self._lock:
            if self._client is None:
                self._client = Session().client(
                    "lambda",
                    config=Config(connect_timeout=3, read_timeout=INVOKE_TIME, retries={"total_max_attempts": 1}),
                )
            return self._client


_own = _Own()


class LambdaAsker:
    """Invokes the function."""

    def __init__(self, function: str | None, client: Any = None) -> None:
        self._function = function or os.environ.get("RELTIO_TOKENS_FUNCTION") or "issue"
        self._given = client

    def forget(self) -> None:
        """Drop what a forked process shares with its parent."""
        _own.forget()

    def ask(self, connection: str, need: Need, now: Callable[[], float]) -> Answer | Failure:
        """Ask once. It never raises."""
        try:
            import botocore.exceptions as sdk  # noqa: F401, PLC0415 # the extension needs no boto3
        except ImportError:
            return Failure("InvalidRequest", "boto3 is missing: install reltio-tokens[boto3], or use the extension")
        try:
            return self._ask(connection, need, now)
        except Exception as error:  # noqa: BLE001 # every failure is one of the contract
            return _failure_of(error)

    def _ask(self, connection: str, need: Need, now: Callable[[], float]) -> Answer | Failure:
        request: dict[str, Any] = {"connection": connection}
        if need.min_ttl > 0:
            request["min_ttl_seconds"] = -int(-need.min_ttl // 1)  # rounded up
        if need.rejected:
            request["rejected_fingerprint"] = need.rejected
        client = self._given or _own.get()
        asked = now()
        try:
            answer = client.invoke(FunctionName=self._function, Payload=json.dumps(request).encode())
            payload = answer["Payload"].read(MAX_ANSWER + 1)
        finally:
            if client is not self._given:
                client.close()  # a connection that is kept may have died while the environment was frozen
        if answer.get("FunctionError"):
            return read_function_error(payload)
        return read_answer(payload, asked)


def _failure_of(error: Exception) -> Failure:
    """Return the failure of an error of boto3 or of the network."""
    from botocore import exceptions as sdk  # noqa: PLC0415

    if isinstance(error, sdk.ClientError):
        response: Any = error.response
        said, meta = response.get("Error", {}), response.get("ResponseMetadata", {})
        # A refused signature is explained by the whole request, with its session token.
        told = str(said.get("Message", "")).partition("The Canonical String")[0]
        message = one_line(f"{said.get('Code', '')}: {told}")
        return read_status(meta.get("HTTPStatusCode", 0), message, meta.get("HTTPHeaders", {}).get("retry-after"))
    name = type(error).__name__
    if isinstance(error, (sdk.HTTPClientError, sdk.IncompleteReadError, OSError)):
        return Failure("StoreUnavailable", f"{name}: Lambda was not reached")
    if isinstance(error, (sdk.NoCredentialsError, sdk.PartialCredentialsError, sdk.CredentialRetrievalError)):
        return Failure("AccessDenied", one_line(f"{name}: {error}"))
    if isinstance(error, sdk.BotoCoreError):
        return Failure("InvalidRequest", one_line(f"{name}: {error}"))
    return Failure("Internal", name)
