"""The real client against the real sandbox when the pool, its gateway or the wire misbehaves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from devkit.sandbox.faults import FAULTS
from mining.pool.answers.types import HashrateSeries
from mining.pool.client import PoolClient
from mining.pool.errors import (
    BadAnswer,
    CallsStopped,
    ClockSkewed,
    KeyDisabled,
    NonceRefused,
    OutOfOrder,
    PermissionMissing,
    PoolError,
    PoolUnavailable,
    RateLimited,
    RequestRefused,
    Unreachable,
    WrongSignature,
)
from mining.pool.transport import http
from tests.mining.pool.conftest import MakeClient, forget_troubles
from tests.mining.pool.moments import WaitsAlone
from tests.sandbox import Sandbox
from tests.waiting import until

READS: dict[str, Callable[[PoolClient], object]] = {
    "accounts": lambda pool: pool.accounts_page(),
    "rewards": lambda pool: pool.rewards_page(),
    "hashrate": lambda pool: pool.hashrate("north"),
    "miners/info": lambda pool: pool.miners_info("north"),
    "payout-destination": lambda pool: pool.payout_destination("south"),
}
CREATE: Callable[[PoolClient], object] = lambda pool: pool.create_account("newcomer")  # noqa: E731

PASSING = ["http_500", "http_502", "http_503", "http_504", "rate_limited", "nonce_refused", "nonce_skewed"]
PASSING_ON_THE_WIRE = ["reset", "reset_mid_body"]
GARBAGE = {
    "captive_page": "not_json",
    "empty_body": "empty",
    "truncated_json": "not_json",
    "not_utf8": "not_utf8",
    "oversized_body": "too_large",
    "redirect_301": "redirect",
    "redirect_308": "redirect",
}


# What passes by itself


@pytest.mark.parametrize("name", PASSING + PASSING_ON_THE_WIRE)
@pytest.mark.parametrize("endpoint", READS)
def test_a_passing_trouble_is_waited_out(sandbox: Sandbox, client: MakeClient, name: str, endpoint: str) -> None:
    sandbox.fault(name, endpoint=endpoint, times=2 if name != "nonce_skewed" else 1)

    assert READS[endpoint](client())

    assert sandbox.calls()[endpoint] == (3 if name != "nonce_skewed" else 2)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("http_500", OutOfOrder),
        ("http_503", OutOfOrder),
        ("reset", Unreachable),
        ("rate_limited", RateLimited),
        ("nonce_refused", NonceRefused),
    ],
)
def test_a_trouble_that_stays_ends_the_call_within_its_patience(
    sandbox: Sandbox, client: MakeClient, unhurried: WaitsAlone, name: str, error: type[PoolError]
) -> None:
    sandbox.fault(name)
    pool = client(deadline_seconds=0.8)

    # The error is the pool's own, also when a breaker ended the call.
    with pytest.raises(error) as raised:
        pool.rewards_page()

    assert unhurried.told < 0.8
    assert (type(raised.value), raised.value.endpoint) == (error, "rewards")
    assert pool.calls >= 4


def test_back_off_doubles_so_that_a_storm_sees_few_probes(sandbox: Sandbox, client: MakeClient) -> None:
    sandbox.fault("rate_limited")

    with pytest.raises(RateLimited):
        client(deadline_seconds=1.5, first_wait_seconds=0.2, longest_wait_seconds=10).rewards_page()

    # Waits of at least 0.1, 0.2, 0.4 and 0.8 s; those of the library would be none.
    assert 3 <= sandbox.calls()["rewards"] <= 5


def test_what_may_be_a_limit_is_waited_for_like_one(
    sandbox: Sandbox, client: MakeClient, unhurried: WaitsAlone
) -> None:
    """As by a pool that allows three calls in two seconds, and says so in its own JSON."""
    sandbox.fault("nonce_refused", times=3)
    patient = client(deadline_seconds=20, first_wait_seconds=0.1, longest_wait_seconds=1)

    assert patient.rewards_page().records
    assert sandbox.calls()["rewards"] == 4
    assert unhurried.told >= 0.1 + 0.2 + 0.4 - 0.05


def test_what_goes_on_though_the_key_made_no_other_call_is_a_foreign_use(sandbox: Sandbox, client: MakeClient) -> None:
    sandbox.fault("nonce_refused")

    with pytest.raises(NonceRefused, match="used elsewhere"):
        client(deadline_seconds=20).rewards_page()


def test_a_key_that_is_slowed_down_slows_no_other_down(
    sandbox: Sandbox, client: MakeClient, unhurried: WaitsAlone
) -> None:
    other = sandbox.key("beta")
    sandbox.fault("nonce_refused", times=2)
    with pytest.raises(NonceRefused, match="more slowly"):
        client(deadline_seconds=0.5, first_wait_seconds=300.0, longest_wait_seconds=300.0).rewards_page()
    sandbox.clear_faults()
    told = unhurried.told

    assert client(api_key=other.api_key, secret=other.secret).rewards_page().records
    assert unhurried.told == told


def test_a_nonce_refusal_is_given_up_after_a_few_new_nonces(sandbox: Sandbox, client: MakeClient) -> None:
    sandbox.fault("nonce_refused", status=401)

    with pytest.raises(NonceRefused, match="seen this nonce before"):
        client(deadline_seconds=20).rewards_page()

    # Five strikes hold the key back. A slow machine comes when that step is over, and makes one probe.
    assert sandbox.calls()["rewards"] in (5, 6)


def test_retry_after_is_not_obeyed_for_hours(sandbox: Sandbox, client: MakeClient) -> None:
    sandbox.fault("http_503", times=1, retry_after=86_400)

    assert client().rewards_page().records


def test_our_own_limit_keeps_the_pool_from_ever_refusing(sandbox: Sandbox, client: MakeClient) -> None:
    pool = client()

    for _ in range(60):
        pool.miners_info("north")

    assert sandbox.log()["statuses"]["miners/info"] == {"200": 60}


# The clock


def test_a_pool_clock_4_s_away_is_corrected(sandbox: Sandbox, client: MakeClient) -> None:
    for seconds in (4, -4, 9, -9):
        sandbox.clear_faults()
        sandbox.fault("clock_skew", seconds=seconds)

        assert client().rewards_page().records


@pytest.mark.parametrize("words", ["the documented ones", "others"])
def test_a_clock_that_moved_is_measured_again_once(sandbox: Sandbox, client: MakeClient, words: str) -> None:
    pool = client()
    pool.rewards_page()
    sandbox.fault("clock_skew", seconds=10)
    if words == "others":
        sandbox.fault("localized_errors")

    assert pool.rewards_page().records

    assert sandbox.log()["statuses"]["rewards"] == {"200": 2, "400": 1}
    assert sandbox.calls()["public/time"] == 2


@pytest.mark.parametrize("seconds", [30, -30])
@pytest.mark.parametrize("known_before", [True, False])
def test_a_clock_30_s_away_stops_calls_with_a_sentence(
    sandbox: Sandbox, client: MakeClient, seconds: int, known_before: bool
) -> None:
    pool = client()
    if known_before:
        pool.rewards_page()
    sandbox.fault("clock_skew", seconds=seconds)
    sandbox.clear_log()

    for _ in range(2):
        with pytest.raises(ClockSkewed, match="Set the clock"):
            pool.rewards_page()

    assert sandbox.calls().get("rewards", 0) == (1 if known_before else 0)


def test_a_pool_that_keeps_complaining_about_a_right_clock_is_not_asked_for_ever(
    sandbox: Sandbox, client: MakeClient
) -> None:
    sandbox.fault("nonce_skewed")

    with pytest.raises(ClockSkewed, match="just been measured"):
        client().rewards_page()

    assert sandbox.calls()["rewards"] == 2


def test_a_refusal_that_names_nothing_is_not_asked_about_for_ever(sandbox: Sandbox, client: MakeClient) -> None:
    sandbox.fault("nonce_skewed")
    sandbox.fault("localized_errors")

    with pytest.raises(RequestRefused, match="did not accept the request"):
        client().rewards_page()

    assert sandbox.calls()["rewards"] == 2


def test_a_pool_whose_time_cannot_be_read_is_unavailable_and_nothing_is_sent(
    sandbox: Sandbox, client: MakeClient
) -> None:
    for name in ("http_500", "captive_page", "redirect_301"):
        sandbox.clear_faults()
        sandbox.fault(name, endpoint="public/time")

        with pytest.raises(PoolUnavailable, match="clock could not be read") as raised:
            client(deadline_seconds=0.3).create_account("newcomer")
        assert not raised.value.may_have_acted

    assert "accounts/create" not in sandbox.calls()


# The key


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("wrong_signature", WrongSignature),
        ("key_disabled", KeyDisabled),
        ("permission_missing", PermissionMissing),
    ],
)
def test_a_refused_key_is_said_and_never_tried_again(
    sandbox: Sandbox, client: MakeClient, name: str, error: type[PoolError]
) -> None:
    sandbox.fault(name)
    pool = client()

    with pytest.raises(error) as raised:
        pool.miners_info("north")

    assert (type(raised.value), raised.value.endpoint) == (error, "miners/info")
    assert sandbox.calls()["miners/info"] == 1


def test_a_wrong_secret_is_a_wrong_signature(client: MakeClient) -> None:
    with pytest.raises(WrongSignature, match="do not belong together"):
        client(secret="not the secret").rewards_page()


def test_a_key_switched_off_or_restricted_at_the_pool_is_told_apart(sandbox: Sandbox, client: MakeClient) -> None:
    key, pool = sandbox.key("alpha"), client()

    sandbox.edit("set_key", api_key=key.api_key, permissions=[])
    with pytest.raises(PermissionMissing, match="MINING_POOL"):
        pool.rewards_page()
    sandbox.edit("set_key", api_key=key.api_key, enabled=False)
    with pytest.raises(KeyDisabled, match="switched off"):
        pool.rewards_page()


# Garbage


@pytest.mark.parametrize(("name", "problem"), GARBAGE.items())
@pytest.mark.parametrize("endpoint", READS)
def test_garbage_is_a_bad_answer_at_once(
    sandbox: Sandbox, client: MakeClient, name: str, problem: str, endpoint: str
) -> None:
    sandbox.fault(name, endpoint=endpoint)

    with pytest.raises(BadAnswer) as raised:
        READS[endpoint](client())

    assert (raised.value.endpoint, raised.value.problem) == (endpoint, problem)
    assert len(raised.value.excerpt) <= 201
    assert sandbox.calls()[endpoint] == 1


@pytest.mark.parametrize("name", ["data_missing", "data_null", "data_object"])
@pytest.mark.parametrize("endpoint", READS)
def test_an_envelope_of_another_shape_is_a_bad_answer(
    sandbox: Sandbox, client: MakeClient, name: str, endpoint: str
) -> None:
    sandbox.fault(name, endpoint=endpoint)
    pool = client()

    if (name, endpoint) == ("data_object", "hashrate"):
        # "Empty data" is documented for a disabled account, in no particular shape.
        assert READS[endpoint](pool) == HashrateSeries(points=())
        return
    with pytest.raises(BadAnswer, match="not documented"):
        READS[endpoint](pool)


@pytest.mark.parametrize("endpoint", READS)
@pytest.mark.parametrize("name", ["extra_fields", "numbers_for_strings", "strings_for_numbers"])
def test_another_spelling_of_the_same_is_the_same(
    sandbox: Sandbox, client: MakeClient, name: str, endpoint: str
) -> None:
    before = READS[endpoint](client())
    sandbox.fault(name, endpoint=endpoint)
    pool = client()

    after = READS[endpoint](pool)

    assert after == before
    assert bool(pool.extra_fields) == (name == "extra_fields")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("amount_nan", "totalReward: not_a_number"),
        ("amount_huge", "totalReward: out_of_range"),
        ("amount_negative", "totalReward: negative"),
        ("amount_long", "totalReward: too_many_digits"),
        ("amounts_disagree", "amount_identity"),
    ],
)
def test_one_impossible_amount_is_quarantined_and_the_others_are_read(
    sandbox: Sandbox, client: MakeClient, name: str, reason: str
) -> None:
    whole = client().rewards_page().records
    sandbox.fault(name)

    page = client().rewards_page()

    assert [rejected.reason for rejected in page.rejected] == [reason]
    assert len(page.records) == len(whole) - 1
    assert set(page.records) < set(whole)


@pytest.mark.parametrize(
    ("name", "field", "word"), [("status_unknown", "status", "on_hold"), ("other_currency", "currency", "LTC")]
)
def test_an_unknown_word_is_passed_on(sandbox: Sandbox, client: MakeClient, name: str, field: str, word: str) -> None:
    sandbox.fault(name)

    page = client().rewards_page()

    assert page.rejected == ()
    assert [getattr(record, field) for record in page.records].count(word) == 1


def test_hostile_names_are_read_unless_they_could_break_what_stores_them(sandbox: Sandbox, client: MakeClient) -> None:
    sandbox.fault("hostile_names")
    pool = client()

    page = pool.rewards_page()

    assert sorted(rejected.reason for rejected in page.rejected) == [
        "miningAccountName: empty",
        "miningAccountName: forbidden_character",
    ]
    assert "<script>alert(1)</script>" in {record.account for record in page.records}
    accounts = pool.accounts_page()
    assert sorted(rejected.reason for rejected in accounts.rejected) == [
        "data.name: empty",
        "data.name: forbidden_character",
    ]
    assert "north" in {account.name for account in accounts.accounts}


def test_scrambled_points_are_passed_on_for_the_reader_to_sort(sandbox: Sandbox, client: MakeClient) -> None:
    sandbox.fault("points_scrambled")

    points = client().hashrate("north").points

    assert len({point.at for point in points}) < len(points)
    assert max(point.at for point in points) > datetime(2030, 1, 1, tzinfo=UTC)


# The wire


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("silence", {"seconds": 120}),
        ("slow_drip", {"bytes_per_second": 20, "seconds": 120}),
    ],
)
def test_a_pool_that_takes_its_time_does_not_take_ours(
    sandbox: Sandbox,
    punctual_client: MakeClient,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    options: dict[str, Any],
) -> None:
    punctual_client().miners_info("north")  # the clock is known
    # Nothing but the call's deadline can end it: else the pool would, in other words.
    monkeypatch.setattr(http, "READ_SECONDS", 600)
    monkeypatch.setattr(http, "TOTAL_SECONDS", 600)
    sandbox.fault(name, endpoint="rewards", **options)

    with pytest.raises(PoolUnavailable, match="no whole answer came in time"):
        punctual_client(deadline_seconds=0.7).rewards_page()

    until(lambda: "rewards" in sandbox.calls())  # the sandbox notes it when it sees that we hung up


def test_a_pool_that_is_not_there_is_unavailable(client: MakeClient) -> None:
    with pytest.raises(PoolUnavailable) as raised:
        client(base_url="http://127.0.0.1:9", deadline_seconds=0.3).rewards_page()

    assert not isinstance(raised.value, CallsStopped)


def test_a_redirect_with_another_host_is_never_followed(sandbox: Sandbox, client: MakeClient) -> None:
    for name in ("redirect_301", "redirect_308"):
        sandbox.clear_faults()
        sandbox.fault(name)
        pool = client()

        with pytest.raises(BadAnswer, match="never followed"):
            pool.rewards_page()

        assert pool.calls <= 2  # the clock and one call; a follower would get a connection error at port 9


# Everything


@pytest.mark.long
def test_no_fault_of_the_sandbox_gets_anything_but_our_errors_out_of_the_client(
    sandbox: Sandbox, client: MakeClient, store: redis.Redis
) -> None:
    for name, kind in FAULTS.items():
        for phase in kind.phases:
            sandbox.clear_faults()
            forget_troubles(store)  # or the fault before would hold this one's calls back
            short = {"seconds": 0.05} if name in ("silence", "slow_drip", "delay") else {}
            sandbox.fault(name, phase=phase, **short)
            pool = client(deadline_seconds=0.08)
            for call in (READS["rewards"], READS["hashrate"], CREATE):
                try:
                    call(pool)
                except PoolError as error:
                    assert error.sentence.endswith("."), name  # noqa: PT017
                    assert error.endpoint, name  # noqa: PT017
