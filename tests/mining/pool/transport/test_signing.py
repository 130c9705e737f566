from __future__ import annotations

import base64
import copy
import json
import pickle

import pytest

from mining.pool.errors import OurBug
from mining.pool.transport.signing import Secret, sign

# Worked out with openssl, not with our code:
#   P=$(printf %s "$BODY" | openssl base64 -A); printf %s "$P" | openssl dgst -sha512 -hmac c0ffee5ec7e7
BODY = (
    b'{"account":"aurora_mining","limit":100,"request":"/api/v4/mining/rewards",'
    b'"nonce":1763900000123,"nonceWindow":true}'
)
PAYLOAD = (
    "eyJhY2NvdW50IjoiYXVyb3JhX21pbmluZyIsImxpbWl0IjoxMDAsInJlcXVlc3QiOiIvYXBpL3Y0L21pbmluZy9yZXdhcmRzIiwi"
    "bm9uY2UiOjE3NjM5MDAwMDAxMjMsIm5vbmNlV2luZG93Ijp0cnVlfQ=="
)
SIGNATURE = (
    "a0996074b2740fbdc7469e6b407c5fd0f1c04edcfd0fd0be27086e5b21f09a66"
    "0977d9eab41324e357ef1b1b97c88c59855347076411407e6006ed159d2cc4fb"
)


def test_a_request_is_signed_as_openssl_would_sign_it() -> None:
    signed = sign(
        path="/api/v4/mining/rewards",
        parameters={"account": "aurora_mining", "limit": 100},
        nonce=1763900000123,
        api_key="key-1",
        secret=Secret("c0ffee5ec7e7"),
    )

    assert signed.body == BODY
    assert signed.headers == {
        "Content-Type": "application/json",
        "X-TXC-APIKEY": "key-1",
        "X-TXC-PAYLOAD": PAYLOAD,
        "X-TXC-SIGNATURE": SIGNATURE,
    }


def test_a_body_is_compact_ascii_and_the_payload_is_exactly_its_base64() -> None:
    signed = sign(path="/p", parameters={"name": "Ünal 1"}, nonce=1, api_key="k", secret=Secret("s"))

    assert signed.body == b'{"name":"\\u00dcnal 1","request":"/p","nonce":1,"nonceWindow":true}'
    assert base64.b64decode(signed.headers["X-TXC-PAYLOAD"]) == signed.body


def test_parameters_cannot_replace_what_is_signed() -> None:
    signed = sign(path="/p", parameters={"request": "/other", "nonce": 9}, nonce=1, api_key="k", secret=Secret("s"))

    assert json.loads(signed.body) == {"request": "/p", "nonce": 1, "nonceWindow": True}


def test_a_secret_shows_itself_nowhere() -> None:
    secret = Secret("canary")

    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r}", repr([secret]), repr({"secret": secret})]

    assert not any("canary" in text for text in shown)
    assert b"canary" not in pickle.dumps(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)
    with pytest.raises(TypeError):
        vars(secret)


@pytest.mark.parametrize("travel", [lambda s: pickle.loads(pickle.dumps(s)), copy.copy, copy.deepcopy])
def test_a_secret_that_travelled_is_empty_and_refuses_to_sign(travel: object) -> None:
    assert callable(travel)
    arrived = travel(Secret("canary"))

    assert not arrived
    with pytest.raises(OurBug):
        arrived.sign(b"message")


def test_a_signed_request_does_not_print_its_headers() -> None:
    signed = sign(path="/p", parameters={}, nonce=1, api_key="key-1", secret=Secret("s"))

    assert repr(signed) == "SignedRequest(***)"
