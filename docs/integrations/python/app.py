"""An integration: reads entities of a tenant, ten at a time."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import urllib3
from reltio_tokens import Tokens
from reltio_tokens.urllib3 import TokenManager

tokens = Tokens(os.environ["RELTIO_CONNECTION"])
API = os.environ.get("RELTIO_API") or tokens.get().api_url  # https://prod.reltio.com/reltio/api/TENANT
# After 502, 503 and 504 a GET is sent again, after growing waits. Retry-After, which can be hours, is not obeyed.
again = urllib3.Retry(
    total=5, backoff_factor=1, backoff_jitter=1, status_forcelist=[502, 503, 504], respect_retry_after_header=False
)
http = TokenManager(tokens, hosts=[urlsplit(API).netloc], maxsize=10, retries=again, timeout=30)


def call(method: str, path: str, **more) -> urllib3.BaseHTTPResponse:
    response = http.request(method, f"{API}/{path}", **more)
    if response.status >= 400:
        raise RuntimeError(f"{method} {path}: {response.status}")  # a body of Reltio's may hold the token
    return response


def handler(event: dict, context: object) -> list:
    with ThreadPoolExecutor(10) as pool:
        return list(pool.map(lambda name: call("GET", f"entities/{name}").json(), event["entities"]))
