import pytest

from devkit.sandbox.answers import Refused
from devkit.sandbox.rules import Ban, NonceBook, RateLimit
from tests.devkit.sandbox.signed import Caller, fresh_nonce
from tests.sandbox import Sandbox


def test_over_the_limit_the_gateway_answers_in_html(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.limit(calls=3)
    replies = [alpha("accounts") for _ in range(4)]
    assert [reply.status for reply in replies] == [200, 200, 200, 429]
    assert replies[3].headers["content-type"] == "text/html; charset=UTF-8"


def test_the_limit_counts_each_endpoint_by_itself(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.limit(calls=1)
    assert [alpha(endpoint).status for endpoint in ("accounts", "rewards", "accounts")] == [200, 200, 429]


def test_the_limit_is_shared_by_all_keys_of_one_address(sandbox: Sandbox, alpha: Caller, beta: Caller) -> None:
    sandbox.limit(calls=1)
    elsewhere = Caller(sandbox.base_url, beta.key, address="127.0.0.9")
    assert [caller("accounts").status for caller in (alpha, beta, elsewhere)] == [200, 429, 200]


def test_a_request_with_a_wrong_signature_counts_against_the_limit(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.limit(calls=1)
    alpha.send("accounts", b"{}", {"X-TXC-SIGNATURE": "0"})
    assert alpha("accounts").status == 429


def test_a_request_over_the_limit_uses_up_no_nonce(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.limit(calls=1, seconds=600)
    alpha("accounts")
    nonce = fresh_nonce()
    assert alpha("accounts", nonce=nonce).status == 429
    sandbox.limit(calls=1)  # what was called so far is forgotten
    assert alpha("accounts", nonce=nonce).status == 200


def test_the_window_slides() -> None:
    limit = RateLimit(calls=2, seconds=10)
    taken = [limit.takes("rewards", "here", now=now) for now in (0, 9, 9.9, 10, 10.1, 18.9, 19)]
    assert taken == [True, True, False, True, False, False, True]


@pytest.mark.parametrize("way", [-1, 1])
def test_the_window_of_nonces_is_five_seconds_either_way(way: int) -> None:
    now_ms = 1_000_000
    NonceBook().take(now_ms + way * 5_000, windowed=True, now_ms=now_ms)
    with pytest.raises(Refused):
        NonceBook().take(now_ms + way * 5_001, windowed=True, now_ms=now_ms)


def test_the_memory_of_nonces_is_pruned() -> None:
    nonces = NonceBook()
    for now_ms in range(1_000_000, 1_060_000, 10):
        nonces.take(now_ms, windowed=True, now_ms=now_ms)
    assert nonces.remembered() <= 15_000 / 10


def test_repeated_refusals_can_ban_an_address_from_every_endpoint(sandbox: Sandbox, alpha: Caller) -> None:
    sandbox.control("POST", "limit", {"calls": 1, "seconds": 600, "ban_after": 2, "ban_seconds": 600})
    elsewhere = Caller(sandbox.base_url, alpha.key, address="127.0.0.9")
    assert [alpha("accounts").status for _ in range(2)] == [200, 429]
    assert alpha("rewards").status == 200
    assert alpha("accounts").status == 429
    assert (alpha("hashrate", account="north").status, elsewhere("rewards").status) == (429, 200)


def test_refusals_that_lie_apart_ban_nobody() -> None:
    limit = RateLimit(calls=1, seconds=10, ban=Ban(after=2, seconds=60))
    assert [limit.takes("rewards", "here", now=now) for now in (0, 1, 10, 12, 13)] == [True, False, True, False, False]
    assert not limit.takes("accounts", "here", now=72)
    assert limit.takes("accounts", "here", now=74)
