"""What the cases of the contract do not say: threads, tasks, processes, tracebacks, HTTP libraries.

The environment says where the stub is (AWS_ENDPOINT_URL_LAMBDA); the stub answers connections
good-..., slow-..., dying-... and failing-... as test/clients says.
"""

import asyncio
import concurrent.futures
import copy
import multiprocessing
import os
import pickle
import threading
import time
import traceback
import unittest
import urllib.request

import httpx
import requests
import urllib3

import reltio_tokens
import reltio_tokens.httpx
import reltio_tokens.requests
import reltio_tokens.urllib3
from reltio_tokens import AsyncTokens, ReauthorizationRequired, TokenError, Tokens

STUB = os.environ["AWS_ENDPOINT_URL_LAMBDA"]
FAILURES = (urllib3.exceptions.HTTPError, requests.RequestException, httpx.HTTPError)
CLOSED = "127.0.0.1:9"  # nothing listens there
HOSTS = (STUB.removeprefix("http://"), CLOSED)


def invocations(connection):
    with urllib.request.urlopen(f"{STUB}/count?connection={connection}") as response:
        return int(response.read())


def text_of(error):
    """Everything that a log of an error with the variables of all frames shows."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(shown.format()) + repr(error)


def fail(connection):
    Tokens(connection).get()


def answer(tokens):
    return tokens.get().fingerprint


class Sharing(unittest.TestCase):
    def test_threads_share_an_invocation(self):
        tokens = Tokens("slow-threads")
        with concurrent.futures.ThreadPoolExecutor(100) as pool:
            got = {t.fingerprint for t in pool.map(lambda _: tokens.get(), range(100))}
        self.assertEqual((len(got), invocations("slow-threads")), (1, 1))

    def test_tasks_share_an_invocation(self):
        async def main():
            tokens = AsyncTokens("slow-tasks")
            return {t.fingerprint for t in await asyncio.gather(*(tokens.get() for _ in range(1000)))}

        self.assertEqual((len(asyncio.run(main())), invocations("slow-tasks")), (1, 1))

    def test_a_task_that_is_cancelled_harms_no_other(self):
        async def main():
            tokens = AsyncTokens("slow-cancelled")
            first, others = asyncio.create_task(tokens.get()), [asyncio.create_task(tokens.get()) for _ in range(9)]
            await asyncio.sleep(0.1)
            first.cancel()
            return await asyncio.gather(*others)

        self.assertEqual((len(asyncio.run(main())), invocations("slow-cancelled")), (9, 1))

    def test_connections_share_a_client(self):
        before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
        for n in range(40):
            Tokens(f"good-many-{n}").get()
        if before:
            self.assertLess(len(os.listdir("/proc/self/fd")) - before, 10)


class Processes(unittest.TestCase):
    def test_fork_while_another_thread_asks(self):
        tokens = Tokens("slow-fork")
        asking = threading.Thread(target=tokens.get)
        asking.start()
        time.sleep(0.1)
        with multiprocessing.get_context("fork").Pool(2) as pool:
            got = pool.map_async(answer, [tokens]).get(30)
        asking.join()
        self.assertTrue(got[0].startswith("sha256:"))

    def test_a_child_of_a_fork_uses_the_token_and_no_socket(self):
        tokens = Tokens("good-child")
        want = tokens.get().fingerprint
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writer, tokens.get().fingerprint.encode())
            os._exit(0)
        os.waitpid(child, 0)
        self.assertEqual((os.read(reader, 100).decode(), invocations("good-child")), (want, 1))

    def test_spawn(self):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            self.assertTrue(pool.map(answer, [Tokens("good-spawn", min_ttl=60)])[0].startswith("sha256:"))

    def test_an_error_comes_back_from_a_process(self):
        with multiprocessing.get_context("fork").Pool(1) as pool, self.assertRaises(ReauthorizationRequired) as e:
            pool.map(fail, ["failing-ReauthorizationRequired"])
        self.assertEqual(str(e.exception), "what is wrong")

    def test_pickle(self):
        for kind in "MFARequired", "Runtime.ExitError", "TenantSuspended":
            error = pickle.loads(pickle.dumps(reltio_tokens._errors.token_error(kind, "why", "acme", 3)))
            self.assertEqual((type(error).__name__, error.type, str(error), error.retry_after), (kind, kind, "why", 3))
            self.assertIsInstance(copy.copy(error), TokenError)
        with self.assertRaises(TypeError):
            pickle.dumps(Tokens("good-pickle").get())


class Secrets(unittest.TestCase):
    def test_printing(self):
        tokens = Tokens("good-printing")
        token = tokens.get()
        shown = f"{token} {token!r} {[token]} {tokens!r} {vars(tokens)} {tokens._source._memory.kept!r}"
        shown += repr(token.authorization)
        self.assertNotIn(token.access_token, shown)
        self.assertIn("sha256:", shown)
        self.assertEqual(token.authorization, "Bearer " + token.access_token)

    def test_each_caller_gets_its_own_error(self):
        tokens = Tokens("failing-ReauthorizationRequired")
        with self.assertRaises(TokenError) as first:
            try:
                raise ValueError("private detail of A")
            except ValueError:
                tokens.get()
        with self.assertRaises(TokenError) as second:
            tokens.get()
        self.assertIsNot(first.exception, second.exception)
        self.assertNotIn("private detail", text_of(second.exception))

    def test_tracebacks(self):
        for via, connection in (
            ("lambda", "failing-AccessDenied"),
            ("extension", "failing-AccessDenied"),
            ("lambda", "no-such"),
        ):
            with self.assertRaises(TokenError) as e:
                Tokens(connection, via=via, timeout=0.1).get()
            self.assertNotIn(os.environ["AWS_SESSION_TOKEN"], text_of(e.exception))

    def test_the_extension_is_gone(self):
        port, os.environ["RELTIO_TOKENS_PORT"] = os.environ["RELTIO_TOKENS_PORT"], "9"
        try:
            with self.assertRaises(reltio_tokens.StoreUnavailable) as e:
                Tokens("good-gone", via="extension", max_retry_wait=0).get()
        finally:
            os.environ["RELTIO_TOKENS_PORT"] = port
        self.assertNotIn(os.environ["AWS_SESSION_TOKEN"], text_of(e.exception))

    def test_without_credentials_and_region(self):
        for gone, kind in (("AWS_ACCESS_KEY_ID", "AccessDenied"), ("AWS_DEFAULT_REGION", "InvalidRequest")):
            kept = os.environ.pop(gone)
            region = os.environ.pop("AWS_REGION")
            endpoint = os.environ.pop("AWS_ENDPOINT_URL_LAMBDA")
            reltio_tokens._lambda._own.forget()
            try:
                began = time.monotonic()
                with self.assertRaises(TokenError) as e:
                    Tokens("good-nowhere").get()
                self.assertEqual(e.exception.type, kind)
                self.assertLess(time.monotonic() - began, 10)
            finally:
                os.environ.update({gone: kept, "AWS_REGION": region, "AWS_ENDPOINT_URL_LAMBDA": endpoint})
                reltio_tokens._lambda._own.forget()


class HTTP(unittest.TestCase):
    """dying-... gives a token that the API refuses, then one that it takes."""

    def libraries(self, name):
        """Every library, as a function that returns a status."""
        tokens = [Tokens(f"{name}-{n}") for n in range(4)]
        manager = reltio_tokens.urllib3.TokenManager(tokens[0], hosts=HOSTS, retries=False)
        session = reltio_tokens.requests.TokenSession(tokens[1], hosts=HOSTS)
        client = reltio_tokens.httpx.TokenClient(tokens[2], hosts=HOSTS, follow_redirects=True)

        async def in_a_task(method, url, body):
            async with reltio_tokens.httpx.AsyncTokenClient(
                AsyncTokens(f"{name}-3"), hosts=HOSTS, follow_redirects=True
            ) as c:
                return (await c.request(method, url, content=body)).status_code

        return {
            "urllib3": lambda m, u, b: manager.request(m, u, body=b, retries=3).status,
            "requests": lambda m, u, b: session.request(m, u, data=b).status_code,
            "httpx": lambda m, u, b: client.request(m, u, content=b).status_code,
            "httpx, async": lambda m, u, b: asyncio.run(in_a_task(m, u, b)),
        }

    def test_a_refused_token_is_replaced_once(self):
        for name, send in self.libraries("dying-http").items():
            with self.subTest(name):
                self.assertEqual(send("POST", f"{STUB}/api/entities", b"[]"), 200)

    def test_a_401_that_stays(self):
        for name, send in self.libraries("good-refused").items():
            with self.subTest(name):
                self.assertEqual(send("GET", f"{STUB}/api/refused", None), 401)

    def test_other_hosts_get_nothing(self):
        for name, send in self.libraries("good-hosts").items():
            for url in (
                "http://example.com/",
                "https://evilreltio.com/",
                "https://127.0.0.1.evil.com/",
                "https://a@b.com/",
            ):
                with self.subTest(name, url=url), self.assertRaises(ValueError):
                    send("GET", url, None)

    def test_a_redirect_to_another_host_goes_without_the_token(self):
        for name, send in self.libraries("good-redirect").items():
            with self.subTest(name):
                self.assertEqual(send("GET", f"{STUB}/api/redirect", None), 204)

    def test_a_failure_shows_no_token(self):
        for name, send in self.libraries("good-broken").items():
            with self.subTest(name):
                for url in f"{STUB}/api/reset", f"http://{CLOSED}/":
                    with self.assertRaises(FAILURES) as e:
                        send("POST", url, b"[]")
                    self.assertNotIn("token-of-", text_of(e.exception))


if __name__ == "__main__":
    unittest.main()
