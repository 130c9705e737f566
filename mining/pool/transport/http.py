"""One HTTP exchange with the pool: bounded in time and size, never redirected, never repeated by the library.

What came back is a value, not an exception: the exceptions of requests carry the whole request, signature and all,
and would take it along into tracebacks and error reports.
"""

from __future__ import annotations

import errno
import http.client
import io
import socket
import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    SSLError,
)

from mining.pool.errors import OurBug
from mining.pool.limits.deadline import TOTAL_SECONDS
from mining.pool.transport.signing import SignedRequest

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
LARGEST_ANSWER_BYTES = 2 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    too_large: bool = False


@dataclass(frozen=True)
class NoAnswer:
    """`may_have_acted`: the request had left us, or may have."""

    reason: str
    may_have_acted: bool


class Transport:
    """Connections of one client. Not for sharing between threads: one client, and so one session, per thread."""

    def __init__(self, base_url: str, *, source_address: str = "") -> None:
        """`source_address` is one of this machine's that calls leave from; empty: as the machine's routes say."""
        self.base_url = _checked(base_url)
        self._session = requests.Session()
        # No proxies, .netrc or CA bundles from the environment: they would see or change signed requests.
        self._session.trust_env = False
        self._session.headers.update({"Accept": "application/json", "Accept-Encoding": "gzip"})
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, _PunctualAdapter(source_address))

    def get(self, path: str, *, within_seconds: float) -> Answer | NoAnswer:
        return self._exchange("GET", path, None, within_seconds)

    def post(self, path: str, signed: SignedRequest, *, within_seconds: float, fresh: bool) -> Answer | NoAnswer:
        """`fresh` opens a new connection: a kept one may have been closed by the pool just now, and then nobody
        knows whether the request was read."""
        if fresh:
            self.close()
        return self._exchange("POST", path, signed, within_seconds)

    def close(self) -> None:
        """The session stays usable; it opens new connections when needed."""
        self._session.close()

    def _exchange(
        self, method: str, path: str, signed: SignedRequest | None, within_seconds: float
    ) -> Answer | NoAnswer:
        seconds = min(TOTAL_SECONDS, within_seconds)
        token = _ends_at.set(time.monotonic() + seconds)
        try:
            with self._session.request(
                method,
                self.base_url + path,
                data=signed.body if signed else None,
                headers=dict(signed.headers) if signed else None,
                timeout=(min(CONNECT_SECONDS, seconds), min(READ_SECONDS, seconds)),
                allow_redirects=False,
                stream=True,
            ) as response:
                return _read(response)
        except requests.exceptions.ConnectionError as error:
            return NoAnswer(_reason(error), may_have_acted=not _never_connected(error))
        except (requests.exceptions.RequestException, HTTPError, OSError) as error:
            return NoAnswer(_reason(error), may_have_acted=True)
        finally:
            _ends_at.reset(token)


def _read(response: requests.Response) -> Answer:
    body = bytearray()
    # urllib3 undoes gzip in pieces of at most this size, so a bomb is noticed while it is still small.
    for chunk in response.raw.stream(_CHUNK_BYTES, decode_content=True):
        body += chunk
        if len(body) > LARGEST_ANSWER_BYTES:
            return Answer(response.status_code, bytes(body[:LARGEST_ANSWER_BYTES]), too_large=True)
    return Answer(response.status_code, bytes(body))


def _never_connected(error: requests.exceptions.ConnectionError) -> bool:
    cause = error.args[0] if error.args else None
    if not isinstance(cause, MaxRetryError):
        return False
    return isinstance(cause.reason, (ConnectTimeoutError, NewConnectionError, NameResolutionError)) or (
        isinstance(cause.reason, SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(cause.reason)
    )


def _reason(error: Exception) -> str:
    """A few words for staff. Never the exception's own text: it may quote what we sent."""
    if isinstance(error, requests.exceptions.SSLError):
        return "the pool's TLS certificate could not be verified"
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return "the connection was not made in time"
    if _timed_out(error):
        return "no whole answer came in time"
    if isinstance(error, requests.exceptions.ConnectionError) and _never_connected(error):
        if _has_no_such_address(error):
            return "this machine does not have the address in POOL_EGRESS_ADDRESSES that calls are to leave from"
        return "no connection could be made"
    return "the connection broke off"


def _has_no_such_address(error: requests.exceptions.ConnectionError) -> bool:
    reason = getattr(error.args[0], "reason", None)
    cause = getattr(reason, "__cause__", None)
    return isinstance(cause, OSError) and cause.errno == errno.EADDRNOTAVAIL


def _timed_out(error: BaseException | None) -> bool:
    if isinstance(error, requests.exceptions.Timeout | TimeoutError | urllib3.exceptions.TimeoutError):
        return True
    inner = error.args[-1] if error is not None and error.args else None
    return isinstance(inner, BaseException) and _timed_out(inner)


def _checked(base_url: str) -> str:
    parts = urlsplit(base_url)
    loopback = parts.hostname in ("127.0.0.1", "::1", "localhost")
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.query:
        raise OurBug("WHITEPOOL_BASE_URL must look like https://whitebit.com.")
    if parts.path not in ("", "/"):
        # The signed `request` must equal the URL's path, so the pool cannot live below another path.
        raise OurBug("WHITEPOOL_BASE_URL must not have a path.")
    if parts.scheme == "http" and not loopback:
        raise OurBug("WHITEPOOL_BASE_URL must be https: plain http is only for a sandbox on this machine.")
    return f"{parts.scheme}://{parts.netloc}"


# The read time-out of the library starts again with each byte, so a server that sends one byte a second would hold
# a worker for hours, already in the headers. Hence each read of the socket is given what is left of the whole.
_ends_at: ContextVar[float] = ContextVar("ends_at")


class _PunctualReader(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase, sock: socket.socket, ends_at: float) -> None:
        self._raw = raw
        self._sock = sock
        self._ends_at = ends_at

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left_seconds = self._ends_at - time.monotonic()
        if left_seconds <= 0:
            raise TimeoutError("the whole exchange took too long")
        self._sock.settimeout(min(left_seconds, READ_SECONDS))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _PunctualResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        # Nothing has been read yet. The raw file keeps the socket open for as long as it is read.
        raw = self.fp.detach()
        self.fp = io.BufferedReader(_PunctualReader(raw, sock, _ends_at.get()))


class _PunctualHTTPConnection(HTTPConnection):
    response_class = _PunctualResponse


class _PunctualHTTPSConnection(HTTPSConnection):
    response_class = _PunctualResponse


class _PunctualHTTPPool(HTTPConnectionPool):
    ConnectionCls = _PunctualHTTPConnection


class _PunctualHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _PunctualHTTPSConnection


class _PunctualAdapter(HTTPAdapter):
    def __init__(self, source_address: str) -> None:
        self._source: dict[str, Any] = {"source_address": (source_address, 0)} if source_address else {}
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs | self._source)
        self.poolmanager.pool_classes_by_scheme = {"http": _PunctualHTTPPool, "https": _PunctualHTTPSPool}
