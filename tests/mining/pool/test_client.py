"""The real client against the real sandbox on a good day."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import redis

from mining.pool.answers.types import PayoutDestination, RewardRecord
from mining.pool.client import PoolClient
from mining.pool.errors import CallsStopped, KeyRefused, OurBug, RequestRefused
from mining.pool.transport.signing import Secret
from tests.mining.pool.conftest import MakeClient
from tests.sandbox import Sandbox
from tests.waiting import LAST_RESORT_SECONDS


def as_pool_writes(record: RewardRecord) -> dict[str, Any]:
    return {
        "miningAccountName": record.account,
        "payoutDestination": record.destination,
        "payoutTransactionHash": record.transaction_hash,
        "payoutAddress": record.address,
        "payoutTime": None if record.paid_at is None else int(record.paid_at.timestamp()),
        "rewardCurrency": record.currency,
        "totalReward": record.total_raw,
        "reward": record.net_raw,
        "fee": record.fee_raw,
        "date": int(record.reward_at.timestamp()),
        "status": record.status,
    }


def test_every_reward_of_a_login_is_read_page_by_page_without_loss(sandbox: Sandbox, client: MakeClient) -> None:
    pool = client()

    records: list[RewardRecord] = []
    while page := pool.rewards_page(limit=7, offset=len(records)).records:
        records += page

    truth = sandbox.rewards("alpha")
    asked = as_pool_writes(records[0]).keys()
    assert len(records) == len(truth) > 20
    assert sorted(map(str, map(as_pool_writes, records))) == sorted(
        str({name: record[name] for name in asked}) for record in truth
    )
    assert [record.fpps_rate for record in records] != [None] * len(records)
    assert pool.calls == len(truth) // 7 + 2 + 1  # pages, an empty one, the clock


def test_rewards_are_filtered_by_account_and_by_moments(client: MakeClient) -> None:
    since, until = datetime(2026, 10, 15, tzinfo=UTC), datetime(2026, 10, 17, tzinfo=UTC)

    page = client().rewards_page(account="north", since=since, until=until)

    assert {record.account for record in page.records} == {"north"}
    assert [record.reward_at for record in page.records] == [until, until - timedelta(days=1), since]
    assert (page.limit, page.offset, page.rejected) == (100, 0, ())


def test_an_account_that_is_not_there_has_no_rewards_and_no_error(client: MakeClient) -> None:
    assert client().rewards_page(account="nobody").records == ()


def test_an_account_is_created_once_and_then_listed(sandbox: Sandbox, client: MakeClient) -> None:
    pool = client()

    made = pool.create_account("newcomer_1", referral_code="abc")

    assert made.name == "newcomer_1"
    assert made.created_at is not None
    assert pool.accounts_page(name="newcomer_1").accounts == (made,)
    assert pool.find_account("newcomer_1") == made
    with pytest.raises(RequestRefused) as refused:
        pool.create_account("newcomer_1")
    assert list(refused.value.fields) == ["name"]
    assert sandbox.calls()["accounts/create"] == 2


def test_accounts_come_in_pages(client: MakeClient) -> None:
    pool = client()

    first, second = (pool.accounts_page(limit=2, offset=offset).accounts for offset in (0, 2))

    assert len(first) == 2
    assert {account.name for account in first + second} == {"north", "south", "alpha_east"}


def test_hashrate_is_in_terahash_and_hourly_unless_asked_otherwise(client: MakeClient) -> None:
    noon = datetime(2026, 10, 20, 12, tzinfo=UTC)
    pool = client()

    hourly = pool.hashrate("north", since=noon - timedelta(hours=6), until=noon).points
    fine = pool.hashrate("north", since=noon - timedelta(hours=1), until=noon, interval="5m").points

    assert 6 <= len(hourly) <= 7
    assert len(fine) >= 12
    assert all(Decimal(100) < point.hashrate_ths < Decimal(1_000) for point in hourly)
    assert all(point.reject_rate is not None and 0 <= point.reject_rate < 1 for point in hourly)


def test_miners_info_counts_machines_and_names_the_ports(client: MakeClient) -> None:
    info = client().miners_info("north")

    assert info.fee_percent == Decimal("2.5")
    assert info.online > 0
    assert info.online == sum(stratum.workers for stratum in info.stratum)
    assert [stratum.url for stratum in info.stratum] == [
        "stratum+tcp://pool.whitebit.com:3333",
        "stratum+tcp://pool.whitebit.com:3334",
    ]


def test_payout_destination_is_the_pools_word_and_its_address(sandbox: Sandbox, client: MakeClient) -> None:
    pool = client()
    true_address = next(
        account["payout_address"] for account in sandbox.truth()["users"][0]["accounts"] if account["name"] == "south"
    )

    assert pool.payout_destination("north") == PayoutDestination("main_balance", None)
    assert pool.payout_destination("south") == PayoutDestination("external_address", true_address)


def test_an_unknown_account_is_refused_with_the_field_that_says_so(client: MakeClient) -> None:
    pool = client()

    with pytest.raises(RequestRefused) as by_hashrate:
        pool.hashrate("nobody")
    with pytest.raises(RequestRefused) as by_info:
        pool.miners_info("nobody")

    assert (by_hashrate.value.endpoint, by_hashrate.value.status) == ("hashrate", 400)
    assert by_hashrate.value.fields == {"account": ["Account not found"]}
    assert by_info.value.fields == {"user": ["Account not found"]}
    assert pool.calls == 3


def test_a_disabled_account_has_no_points_and_no_rewards(sandbox: Sandbox, client: MakeClient) -> None:
    sandbox.edit("disable_account", login="alpha", account="north")

    assert client().hashrate("north").points == ()
    assert client().rewards_page(account="north").records == ()


def test_two_keys_of_different_users_see_only_their_own(sandbox: Sandbox, client: MakeClient) -> None:
    beta = sandbox.key("beta")

    names = {account.name for account in client(api_key=beta.api_key, secret=beta.secret).accounts_page().accounts}

    assert names == {"north", "south", "beta_east"}


@pytest.mark.parametrize(
    "ask",
    [
        lambda pool: pool.rewards_page(limit=101),
        lambda pool: pool.rewards_page(limit=0),
        lambda pool: pool.rewards_page(offset=10_001),
        lambda pool: pool.accounts_page(offset=-1),
        lambda pool: pool.rewards_page(since=datetime(2026, 1, 1)),  # noqa: DTZ001
        lambda pool: pool.hashrate(""),
        lambda pool: pool.create_account(""),
    ],
)
def test_what_the_pool_could_only_refuse_is_not_sent(client: MakeClient, ask: Any) -> None:
    pool = client()

    with pytest.raises(OurBug):
        ask(pool)

    assert pool.calls == 0


@pytest.mark.parametrize(
    "base_url",
    [
        "http://whitebit.com",
        "ftp://whitebit.com",
        "whitebit.com",
        "https://whitebit.com/api",
        "https://user:word@whitebit.com",
        "https://whitebit.com?x=1",
        "http://127.0.0.1.evil.example",
        "",
    ],
)
def test_an_address_that_would_leak_or_fail_is_refused(client: MakeClient, base_url: str) -> None:
    with pytest.raises(OurBug, match="WHITEPOOL_BASE_URL"):
        client(base_url=base_url)


@pytest.mark.parametrize(
    ("api_key", "secret"), [("", "s"), ("k", ""), ("a b\nX-Injected: 1", "s"), ("ключ", "s"), ("k" * 257, "s")]
)
def test_a_key_that_cannot_be_one_is_refused_before_any_call(client: MakeClient, api_key: str, secret: str) -> None:
    with pytest.raises(KeyRefused):
        client(api_key=api_key, secret=Secret(secret))


def test_without_redis_no_call_leaves(sandbox: Sandbox, client: MakeClient, dead_store: redis.Redis) -> None:
    pool = client(redis=dead_store)

    for ask in (lambda: pool.rewards_page(), lambda: pool.create_account("newcomer")):
        with pytest.raises(CallsStopped, match="Redis"):
            ask()

    assert (pool.calls, sandbox.calls()) == (0, {})


def test_redis_dying_between_calls_stops_them(sandbox: Sandbox, client: MakeClient, private_redis: Any) -> None:
    url, process = private_redis
    pool = client(redis=redis.Redis.from_url(url, socket_timeout=1))
    pool.rewards_page()

    process.kill()
    process.wait()

    with pytest.raises(CallsStopped, match="Redis"):
        pool.rewards_page()
    assert sandbox.calls()["rewards"] == 1


IN_TRANSACTION = """
import django, redis, sys
from django.conf import settings
settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
django.setup()
from django.db import transaction
from mining.pool.client import PoolClient
from mining.pool.errors import OurBug
base_url, api_key, secret, redis_url = sys.argv[1:]
with PoolClient(base_url=base_url, api_key=api_key, secret=secret, redis=redis.Redis.from_url(redis_url)) as pool:
    assert pool.rewards_page().records
    calls = pool.calls
    with transaction.atomic():
        try:
            pool.rewards_page()
        except OurBug as bug:
            print(bug, pool.calls - calls)
"""


def test_no_call_is_made_inside_a_database_transaction(sandbox: Sandbox, store: redis.Redis, redis_url: str) -> None:
    key = sandbox.key("alpha")
    arguments = [sandbox.base_url, key.api_key, key.secret, redis_url]

    done = subprocess.run(
        [sys.executable, "-c", IN_TRANSACTION, *arguments],
        capture_output=True,
        text=True,
        timeout=LAST_RESORT_SECONDS,
        check=False,
    )

    assert "rewards: The pool must not be called inside a database transaction. 0" in done.stdout, done.stderr


def test_a_client_does_not_print_its_key(sandbox: Sandbox, client: MakeClient) -> None:
    pool: PoolClient = client(secret="canary-secret")

    assert "canary" not in repr(pool) + str(pool.__dict__)
