"""How a private call proves who sends it. The secret goes in here and never comes out again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass

from mining.pool.errors import OurBug

Json = str | int | bool | list[str]


class Secret:
    """A pool secret that can sign and nothing else: printed it is stars, pickled or copied it is empty.

    Path not taken: a `reveal()`. Whatever can be asked for ends in somebody's log line.
    """

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def sign(self, message: bytes) -> str:
        if not self.__value:
            raise OurBug("A pool secret was emptied on its way (pickled or copied) and cannot sign.")
        return hmac.new(self.__value.encode(), message, hashlib.sha512).hexdigest()

    def hide_in(self, text: str) -> str:
        return text.replace(self.__value, "[secret]") if self.__value else text

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        return Secret, ("",)


@dataclass(frozen=True)
class SignedRequest:
    body: bytes
    headers: Mapping[str, str]

    def __repr__(self) -> str:
        return "SignedRequest(***)"


def sign(*, path: str, parameters: Mapping[str, Json], nonce: int, api_key: str, secret: Secret) -> SignedRequest:
    """`path` must be the path of the URL. `nonceWindow` always: without it two workers of one key break each other."""
    # The pool may refuse JSON with spaces ("Invalid payload."), and signs over the base64 of these very bytes.
    fields = {**parameters, "request": path, "nonce": nonce, "nonceWindow": True}
    body = json.dumps(fields, separators=(",", ":")).encode("ascii")
    payload = base64.b64encode(body)
    headers = {
        "Content-Type": "application/json",
        "X-TXC-APIKEY": api_key,
        "X-TXC-PAYLOAD": payload.decode("ascii"),
        "X-TXC-SIGNATURE": secret.sign(payload),
    }
    return SignedRequest(body, headers)
