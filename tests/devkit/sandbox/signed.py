"""A caller of the pool's API in few lines: on purpose not the product's client, so that each checks the other."""

import base64
import hashlib
import hmac
import http.client
import json
import threading
import time
import urllib.parse
from dataclasses import dataclass
from typing import Any

from tests.sandbox import PoolKey

_last_nonce = 0
_one_at_a_time = threading.Lock()


def fresh_nonce() -> int:
    """The real time, never the same twice in this process."""
    global _last_nonce
    with _one_at_a_time:
        _last_nonce = max(_last_nonce + 1, time.time_ns() // 1_000_000)
        return _last_nonce


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def signed_headers(key: PoolKey, body: bytes) -> dict[str, str]:
    payload = base64.b64encode(body)
    return {
        "Content-Type": "application/json",
        "X-TXC-APIKEY": key.api_key,
        "X-TXC-PAYLOAD": payload.decode(),
        "X-TXC-SIGNATURE": hmac.new(key.secret.encode(), payload, hashlib.sha512).hexdigest(),
    }


class Caller:
    """Calls as one key; one connection per call, so that a fault of one call cannot touch the next."""

    def __init__(self, base_url: str, key: PoolKey, *, address: str | None = None) -> None:
        self.base_url, self.key, self.address = base_url, key, address

    def body(self, endpoint: str, fields: dict[str, Any]) -> dict[str, Any]:
        envelope = {"request": f"/api/v4/mining/{endpoint}", "nonce": fresh_nonce(), "nonceWindow": True}
        # A field given as Ellipsis is left out of the envelope.
        return {name: value for name, value in (envelope | fields).items() if value is not ...}

    def __call__(self, endpoint: str, fields: dict[str, Any] | None = None, **more: Any) -> Reply:
        text = json.dumps(self.body(endpoint, (fields or {}) | more), separators=(",", ":"))
        return self.send(endpoint, text.encode())

    def data(self, endpoint: str, fields: dict[str, Any] | None = None, **more: Any) -> Any:
        """The `data` of an answer that must be good."""
        reply = self(endpoint, fields, **more)
        assert reply.status == 200, reply.body
        return reply.json["data"]

    def send(self, endpoint: str, body: bytes, headers: dict[str, str] | None = None, *, method: str = "POST") -> Reply:
        sent = signed_headers(self.key, body) | (headers or {})
        sent = {name: value for name, value in sent.items() if value != ""}
        return request(self.base_url, method, f"/api/v4/mining/{endpoint}", body, sent, self.address)


def request(
    base_url: str,
    method: str,
    path: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    address: str | None = None,
    timeout_s: float = 240,
) -> Reply:
    at = urllib.parse.urlsplit(base_url)
    source = (address, 0) if address else None
    connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=timeout_s, source_address=source)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        received = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, received, response.read())
    finally:
        connection.close()
