"""An integration: reads entities of a tenant, ten at a time."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import urllib3

from reltio_tokens import Token, Tokens

API = os.environ["RELTIO_API"]  # https://prod.reltio.com/reltio/api/TENANT
tokens = Tokens(os.environ["RELTIO_CONNECTION"])
# After 502, 503 and 504 a GET is sent again, after growing waits.
again = urllib3.Retry(total=5, backoff_factor=1, backoff_jitter=1, status_forcelist=[502, 503, 504])
http = urllib3.PoolManager(maxsize=10, retries=again, timeout=30)


def call(method: str, path: str, **more) -> urllib3.BaseHTTPResponse:
    """Calls the API; once more, with another token, if Reltio refuses this one."""
    token = tokens.get()
    response = send(token, method, path, **more)
    if response.status == 401:
        other = tokens.get(rejected=token.fingerprint)
        if other.fingerprint != token.fingerprint:
            response = send(other, method, path, **more)
    if response.status >= 400:
        raise RuntimeError(f"{method} {path}: {response.status}")  # a body of Reltio's may hold the token
    return response


def send(token: Token, method: str, path: str, **more) -> urllib3.BaseHTTPResponse:
    return http.request(method, f"{API}/{path}", headers={"Authorization": f"Bearer {token.text}"}, **more)


def handler(event: dict, context: object) -> list:
    with ThreadPoolExecutor(10) as pool:
        return list(pool.map(lambda name: call("GET", f"entities/{name}").json(), event["entities"]))
