"""Reads what issue, the extension or Lambda answers. An error names a key, never its value."""

from __future__ import annotations

import json
import re
from typing import Any

from ._errors import Failure
from ._token import Answer, Header

MAX_ANSWER = 256 << 10  # a real one has at most 20 KiB
_MAX_TOKEN = 16384
_MAX_EXPIRES_IN = 31 * 24 * 3600
MAX_RETRY_AFTER = 300.0
_MAX_MESSAGE = 256
_FINGERPRINT = re.compile(r"sha256:[0-9a-f]{32}")
_TOKEN = re.compile(r"[!-~]+")
_TYPE = re.compile(r"[!-~]{1,128}")
_RETRY = re.compile(r"\bretry after ([0-9]+) s\b")
_TYPES: dict[str, type] = {
    "connection": str,
    "access_token": str,
    "token_type": str,
    "scope": str,
    "expires_in": int,
    "expires_at": str,
    "fingerprint": str,
    "version": int,
    "outcome": str,
    "min_ttl_met": bool,
    "warnings": list,
    "api_url": str,
    "tenant_id": str,
}


def is_fingerprint(text: object) -> bool:
    """Report whether the text has the shape of a fingerprint."""
    return isinstance(text, str) and _FINGERPRINT.fullmatch(text) is not None


def one_line(text: object) -> str:
    """Return a text fit for a log: printable, on one line, at most 256 characters."""
    if not isinstance(text, str):
        return ""
    shown = "".join(c if c.isprintable() and c != "\ufffd" else " " for c in text[: 4 * _MAX_MESSAGE])
    return " ".join(shown.split())[:_MAX_MESSAGE]


def seconds(text: object) -> float | None:
    """Read a time to wait, at most five minutes; None if the text is no number."""
    digits = str(text) if isinstance(text, (str, int)) else ""
    if not re.fullmatch(r"[0-9]+", digits):
        return None
    return MAX_RETRY_AFTER if len(digits) > 9 else min(float(digits), MAX_RETRY_AFTER)


def read_answer(payload: bytes, asked: float) -> Answer | Failure:
    """Read an answer to an invocation that began at asked."""
    members = _object(payload)
    if isinstance(members, Failure):
        return members
    wrong = _wrong(members)
    if wrong:
        return _unusable(wrong)
    return Answer(
        access_token=Header(members["access_token"]),
        token_type=members.get("token_type", ""),
        scope=members.get("scope", ""),
        ends=asked + members["expires_in"],
        fingerprint=members["fingerprint"],
        version=members.get("version", 0),
        api_url=one_line(members.get("api_url", "")),
        tenant_id=one_line(members.get("tenant_id", "")),
        warnings=tuple(members.get("warnings", ())),
    )


def _object(payload: bytes) -> dict[str, Any] | Failure:
    if len(payload) > MAX_ANSWER:
        return _unusable("too long")
    try:
        members = json.loads(payload)
    except (ValueError, RecursionError):  # its message may hold the token
        members = None
    if not isinstance(members, dict):
        return _unusable("not the JSON of an answer")
    return {name: value for name, value in members.items() if value is not None}


def _wrong(members: dict[str, Any]) -> str:
    """Return the name of a key whose value cannot be; empty if there is none."""
    for name, kind in _TYPES.items():
        value = members.get(name)
        if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
            return name
    token = members.get("access_token", "")
    if not _TOKEN.fullmatch(token) or len(token) > _MAX_TOKEN:
        return "access_token"
    if not 1 <= members.get("expires_in", 0) <= _MAX_EXPIRES_IN:
        return "expires_in"
    if not is_fingerprint(members.get("fingerprint")):
        return "fingerprint"
    if not all(isinstance(warning, str) for warning in members.get("warnings", ())):
        return "warnings"
    return ""


def _unusable(what: str) -> Failure:
    return Failure("InvalidAnswer", "this is no answer of issue: " + what)


def read_function_error(payload: bytes) -> Failure:
    """Read the error of a function that failed. One without a readable error has a defect."""
    members = _object(payload)
    if isinstance(members, Failure):
        return Failure("Internal")
    kind, message = members.get("errorType"), one_line(members.get("errorMessage"))
    if not isinstance(kind, str) or not _TYPE.fullmatch(kind):
        return Failure("Internal", message)
    said = _RETRY.search(message) if kind == "RateLimited" else None
    return Failure(kind, message, retry_after=seconds(said[1]) if said else None, stored=kind != "InvalidRequest")


def read_status(status: int, message: str, retry_after: object) -> Failure:
    """Read an answer of Lambda's own."""
    if status == 429:
        return Failure("RateLimited", message, retry_after=seconds(retry_after))
    if status in (401, 403):
        return Failure("AccessDenied", message)
    if 400 <= status < 500 and status not in (408, 409):
        return Failure("InvalidRequest", message)
    return Failure("StoreUnavailable", message)
