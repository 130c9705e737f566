"""Whatever the pool may send: it is read or it is unreadable."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mining.pool.answers import parsing
from mining.pool.answers.strict_json import ExtraFields, Unreadable, read_json
from tests.mining.pool.answers.records import REWARD, unchanged

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
NASTY = JSON | st.sampled_from(["1e99", "-1", "0.1", 1763769600, 10**40, Decimal("1e-30"), Decimal("sNaN"), "\ud800"])
NEARLY_REWARD = st.fixed_dictionaries({name: st.just(value) | NASTY for name, value in REWARD.items()}) | NASTY
PARSERS: dict[str, Callable[[object], object]] = {
    "accounts": lambda document: parsing.parse_accounts(document, ExtraFields(unchanged), unchanged),
    "create": lambda document: parsing.parse_created_account(document, ExtraFields(unchanged), name="north"),
    "hashrate": lambda document: parsing.parse_hashrate(document, ExtraFields(unchanged), account="north"),
    "info": lambda document: parsing.parse_miners_info(document, ExtraFields(unchanged)),
    "payout": lambda document: parsing.parse_payout_destination(document, ExtraFields(unchanged)),
    "rewards": lambda document: parsing.parse_rewards(document, ExtraFields(unchanged), unchanged),
    "time": lambda document: parsing.parse_time(document, ExtraFields(unchanged)),
    "names": lambda document: parsing.parse_worker_names(document, ExtraFields(unchanged), unchanged),
    "worker": lambda document: parsing.parse_worker_hashrate(document, ExtraFields(unchanged)),
    "link": lambda document: parsing.parse_created_link(document, ExtraFields(unchanged)),
    "links": lambda document: parsing.parse_links(document, ExtraFields(unchanged), unchanged),
    "overview": lambda document: parsing.parse_overview(document, ExtraFields(unchanged)),
    "price": lambda document: parsing.parse_last_price(document, "data"),
    "prices": parsing.parse_daily_prices,
}


@pytest.mark.parametrize("name", sorted(PARSERS))
@given(document=JSON | st.fixed_dictionaries({"data": JSON, "limit": JSON, "offset": JSON, "time": JSON}))
@settings(max_examples=150, deadline=None)
def test_arbitrary_json_is_read_or_unreadable_and_nothing_else(name: str, document: object) -> None:
    with suppress(Unreadable):
        PARSERS[name](document)


@pytest.mark.long
@given(records=st.lists(NEARLY_REWARD, max_size=3))
@settings(max_examples=400, deadline=None)
def test_every_record_of_a_page_is_read_or_quarantined_whatever_it_holds(records: list[object]) -> None:
    page = parsing.parse_rewards({"data": records, "limit": 100, "offset": 0}, ExtraFields(unchanged), unchanged)

    assert len(page.records) + len(page.rejected) == len(records)
    for record in page.records:
        assert record.net + record.fee == record.total
        assert json.loads(record.canonical())["date"] == record.reward_at.timestamp()


@given(body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value, default=str).encode()))
@settings(max_examples=300, deadline=None)
def test_arbitrary_bytes_are_json_or_unreadable_and_nothing_else(body: bytes) -> None:
    with suppress(Unreadable):
        read_json(body)
