"""Pages without loss or repeat, filters that mean what they say, and as many queries for three rows as for one."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import contracts
from customers import tenancy
from customers.models import Customer
from mining.models import Credential, MiningAccount, QuarantinedRecord, Reward, SyncRun
from tests.logins import login_of
from tests.portal.api.conftest import (
    API,
    Caller,
    October,
    alert_of,
    codes,
    count_queries,
    detail_of,
    link_of,
    quarantined_of,
)
from tests.world import NOW, Tenant, World, make_reward

pytestmark = pytest.mark.django_db


def walk(caller: Caller, path: str, **parameters: Any) -> list[list[dict[str, Any]]]:
    """Every page, by following `next`."""
    pages = [caller.get(path, **parameters).json()]
    while pages[-1]["next"] is not None:
        assert len(pages) < 50
        pages.append(caller.client.get(pages[-1]["next"]).json())
    return [page["data"] for page in pages]


def test_walking_three_pages_loses_and_repeats_nothing(world: World, north: Caller) -> None:
    account = world.north.clients[0].account
    with tenancy.access_context(world.north.system):
        # Several on one day, and rows stored out of the order of their days.
        for day in (9, 4, 9, 6):
            occurrence = Reward.objects.filter(mining_account=account, day=date(2026, 10, day)).count() + 1
            make_reward(account, date(2026, 10, day), occurrence=occurrence)
        expected = codes(Reward.objects.filter(customer=world.north.clients[0].customer).order_by("-day", "-pk"))
    pages = walk(north, "rewards", customer=world.north.clients[0].customer.code, limit=3)
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [row["id"] for page in pages for row in page] == expected


def test_rows_that_come_in_between_shift_no_page(world: World, north: Caller) -> None:
    first = north.get("rewards", limit=4).json()
    seen = [row["id"] for row in first["data"]]
    with tenancy.access_context(world.north.system):
        before = codes(
            Reward.objects.filter(provider=world.north.provider, day__lte="2026-10-03").order_by("-day", "-pk")
        )
        make_reward(world.north.clients[0].account, date(2026, 10, 20))
    second = north.client.get(first["next"]).json()
    assert seen + [row["id"] for row in second["data"]] == before


def test_a_row_that_leaves_the_filter_still_marks_its_place(world: World, north: Caller) -> None:
    first = north.get("rewards", limit=2, status="successful").json()
    last = first["data"][-1]["id"]
    rest = [row["id"] for row in north.client.get(first["next"]).json()["data"]]
    with tenancy.access_context(world.north.system):
        Reward.objects.filter(code=last).update(status="canceled")
    assert [row["id"] for row in north.client.get(first["next"]).json()["data"]] == rest


def test_the_next_page_keeps_filters_and_limit(world: World, north: Caller) -> None:
    customer = world.north.clients[0].customer.code
    following = north.get("rewards", limit=1, customer=customer, date_to="2026-10-02").json()["next"]
    asked = parse_qs(urlsplit(following).query)
    assert {**asked, "cursor": None} == {
        "limit": ["1"],
        "customer": [customer],
        "date_to": ["2026-10-02"],
        "cursor": None,
    }


def test_a_cursor_tells_no_key_of_the_database(world: World, north: Caller) -> None:
    cursor = parse_qs(urlsplit(north.get("rewards", limit=1).json()["next"]).query)["cursor"][0]
    payload = cursor.partition(":")[0]
    assert urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode() == f'"{north.ids("rewards", limit=1)[0]}"'


def test_lines_are_walked_in_their_order(north: Caller, october: October) -> None:
    pages = walk(north, f"documents/{october.north[0].code}/lines", limit=1)
    assert [[line["position"] for line in page] for page in pages] == [[1], [2], [3]]


def cursor_of(caller: Caller, path: str) -> str:
    following: str = caller.get(path, limit=1).json()["next"]
    return parse_qs(urlsplit(following).query)["cursor"][0]


def test_cursors_of_others_and_made_up_ones_are_refused(north: Caller, south: Caller, october: October) -> None:
    own, lines = cursor_of(north, "rewards"), f"documents/{october.north[0].code}/lines"
    wrong = [
        cursor_of(north, "customers"),
        cursor_of(south, "rewards"),
        cursor_of(north, lines),
        own[:-1] + ("A" if own[-1] != "A" else "B"),
        own + "x",
        "x" + own,
        "guess",
        "1",
        ":",
        "\u00e9:\u00e9",
        "x" * 501,
    ]
    for cursor in wrong:
        answer = north.get("rewards", cursor=cursor)
        assert detail_of(answer, 400).startswith("cursor: "), cursor
    assert north.get("rewards", cursor=own).status_code == 200
    other_lines = f"documents/{october.north[1].code}/lines"
    detail_of(north.get(other_lines, cursor=cursor_of(north, lines)), 400)


def test_the_limit_is_at_most_500(world: World, north: Caller) -> None:
    assert len(north.data("rewards", limit=500)) == 6
    for limit in ("501", "0", "-1", "1.0", "1e2", "ten", "", " ", "\u0661", "99999999999999999999", "0x10"):
        assert detail_of(north.get("rewards", limit=limit), 400).startswith("limit: "), limit


# --- Filters


def test_rewards_are_filtered_by_whose_they_are_when_and_how_they_stand(world: World, north: Caller) -> None:
    one, other = world.north.clients
    with tenancy.access_context(world.north.system):
        pending = make_reward(other.account, date(2026, 10, 5), status="pending")
    assert north.ids("rewards", customer=one.customer.code) == codes(reversed(one.rewards))
    assert north.ids("rewards", mining_account=other.account.code) == [pending.code, *codes(reversed(other.rewards))]
    assert north.ids("rewards", status="pending") == [pending.code]
    # Both ends are inclusive.
    between = north.ids("rewards", date_from="2026-10-02", date_to="2026-10-03", customer=one.customer.code)
    assert between == codes(reversed(one.rewards[1:]))
    assert north.ids("rewards", date_from="2026-10-05") == [pending.code]
    assert north.ids("rewards", date_to="2026-09-30") == []


def test_documents_are_filtered_by_customer_status_and_period(world: World, north: Caller, october: October) -> None:
    issued, draft = october.north
    assert north.ids("documents") == [row.code for row in sorted(october.north, key=lambda d: -d.pk)]
    assert north.ids("documents", customer=world.north.clients[1].customer.code) == [draft.code]
    assert north.ids("documents", status="issued") == [issued.code]
    assert len(north.ids("documents", period="2026-10")) == 2
    assert north.ids("documents", period="2026-11") == []


def test_the_other_lists_have_their_filters(world: World, north: Caller) -> None:
    one = world.north.clients[0]
    assert north.ids("customers", external_ref="C-0") == [one.customer.code]
    assert north.ids("customers", status="closed") == []
    assert north.ids("contracts", customer=one.customer.code) == [one.contract.code]
    assert north.ids("mining-accounts", customer=one.customer.code) == [one.account.code]
    assert north.ids("mining-accounts", state="unknown") == []
    assert north.ids("mining-accounts", credential="Main") == []
    assert north.ids("sync-runs", subject="rewards", state="ok", credential="main") == [world.north.run.code]
    assert north.ids("sync-runs", subject="accounts") == []
    assert north.ids("credentials", state="active", label="main") == [world.north.credential.code]
    assert north.ids("credentials", state="retired") == []


def test_a_foreign_code_in_a_filter_finds_as_much_as_a_made_up_one(world: World, north: Caller) -> None:
    foreign = world.south.clients[0]
    made_up = "cus_" + "a" * 20
    for path in ("rewards", "documents", "contracts", "mining-accounts"):
        assert north.data(path, customer=foreign.customer.code) == north.data(path, customer=made_up) == []
    assert north.data("rewards", mining_account=foreign.account.code) == []


BAD_PARAMETERS: list[tuple[str, dict[str, Any], str]] = [
    (
        "rewards",
        {"costumer": "x"},
        "costumer: There is no such parameter here. Known: cursor, customer, date_from,",
    ),
    ("rewards", {"customer": "C-0"}, "customer: This is not an id: one begins with cus_ and has 24 characters."),
    ("rewards", {"customer": ""}, "customer: This field may not be blank."),
    ("rewards", {"customer": "acc_" + "a" * 20}, "customer: This is not an id"),
    ("rewards", {"customer": "cus_" + "a" * 20 + "\n."}, "customer: Line breaks, tabs and other control"),
    ("rewards", {"customer": "cus_\x00"}, "customer: "),
    ("rewards", {"mining_account": "cus_" + "a" * 20}, "mining_account: This is not an id"),
    ("rewards", {"date_from": "2026-02-30"}, "date_from: There is no such day."),
    ("rewards", {"date_from": "0026-10-01"}, "date_from: Check the year: it is from 2009 to 2099."),
    ("rewards", {"date_from": "20261001"}, "date_from: Write the day as 2026-10-31."),
    ("rewards", {"date_from": "01.10.2026"}, "date_from: Write the day as 2026-10-31."),
    ("rewards", {"date_to": "0000-01-01"}, "date_to: There is no such day."),
    ("rewards", {"date_to": "2026-10-01T00:00:00Z"}, "date_to: Write the day"),
    ("rewards", {"date_from": "2026-10-02", "date_to": "2026-10-01"}, "date_from: This day is after date_to."),
    ("rewards", {"status": "paid"}, 'status: "paid" is not a valid choice.'),
    *(
        ("rewards", {"limit": limit}, "limit: Write a whole number from 1 to 500.")
        for limit in ("0", "-1", "501", "+5", "5.0", "1e2", "\u0665", "5 ", "1_0", "9" * 5_000, "")
    ),
    ("rewards", {"limit": "3", "status": ["pending", "canceled"]}, "status: This parameter stands twice."),
    ("documents", {"period": "2026-13"}, "period: Write the month as 2026-10."),
    ("documents", {"period": "9999-12"}, "period: Write the month as 2026-10."),
    ("documents", {"period": "2026-10-01"}, "period: Write the month as 2026-10."),
    ("documents", {"status": "paid"}, 'status: "paid" is not a valid choice.'),
    ("mining-accounts", {"unassigned": "1"}, "unassigned: Write true or false."),
    ("customers", {"external_ref": "x" * 101}, "external_ref: Ensure this field has no more than 100 characters."),
    ("customers", {"external_ref": "\x00"}, "external_ref: "),
    ("sync-runs", {"subject": "everything"}, 'subject: "everything" is not a valid choice.'),
    ("credentials", {"sealed_secret": "x"}, "sealed_secret: There is no such parameter here."),
    ("contracts", {"format": "json"}, "format: There is no such parameter here. Known: cursor, customer, limit."),
]


def test_a_wrong_parameter_is_refused_by_its_name(north: Caller) -> None:
    for path, parameters, sentence in BAD_PARAMETERS:
        answer = north.get(path, **parameters)
        assert detail_of(answer, 400).startswith(sentence), parameters
        assert list(answer.json()["errors"]) == [sentence.partition(":")[0]]


def test_a_thousand_parameters_are_refused_unread(north: Caller) -> None:
    answer = north.client.get(f"{API}/rewards?" + "&".join(f"p{number}=1" for number in range(1001)))
    assert detail_of(answer, 400) == "The request could not be read."


def test_one_row_takes_no_parameters(world: World, north: Caller) -> None:
    answer = north.get(f"customers/{world.north.clients[0].customer.code}", limit=1)
    assert detail_of(answer, 400) == "limit: There are no parameters here."
    detail_of(north.client.post(f"{API}/sync-runs?now=1", {}, content_type="application/json"), 400)


# --- Queries


def _two_more(tenant: Tenant) -> None:
    """Two more of everything, each with rows of its own."""
    provider = tenant.provider
    for number in (1, 2):
        customer = Customer.objects.create(
            provider=provider, name=f"More {number}", email="m@m.example", created_at=NOW
        )
        account = MiningAccount.objects.create(
            provider=provider,
            login=login_of(provider),
            name=f"more_{number}",
            customer=customer,
            state="active",
            first_seen_at=NOW,
        )
        contract = contracts.agree(
            tenant.system,
            customer=customer,
            valid_from=date(2026, 9, 1),
            settle_in="btc",
            components=[{"kind": "revenue_share", "share_ppm": 1, "basis": "net"}],
            now=NOW,
        )
        contracts.new_version(
            tenant.system,
            contract,
            valid_from=date(2026, 10, 1) + timedelta(days=number),
            settle_in="btc",
            components=[{"kind": "revenue_share", "share_ppm": 2, "basis": "net"}],
            now=NOW,
        )
        make_reward(account, date(2026, 10, number))
        SyncRun.objects.create(
            provider=provider, login=login_of(provider), subject="rewards", state="failed", queued_at=NOW
        )
        Credential.objects.create(
            provider=provider,
            login=login_of(provider, f"more {number}"),
            key_digest=str(number),
            key_hint="abcd",
            created_at=NOW,
        )
        QuarantinedRecord.objects.create(
            provider=provider,
            login=login_of(provider),
            account_name="nobody",
            sync_run=tenant.run,
            reason="twin",
            fingerprint=str(number),
            seen_at=NOW,
        )
        link_of(tenant.clients[number % 2], name=f"more_{number}", pool_id=f"more {number}")
        alert_of(tenant.clients[number % 2], ended_at=NOW + timedelta(hours=number))


@pytest.mark.parametrize(
    "path",
    [
        "customers",
        "mining-accounts",
        "rewards",
        "contracts",
        "documents",
        "sync-runs",
        "credentials",
        "watcher-links",
        "alerts",
        "quarantined-records",
    ],
)
def test_a_list_of_three_takes_the_queries_of_a_list_of_one(
    world: World, north: Caller, close: Callable[[Tenant], Any], path: str
) -> None:
    link_of(world.north.clients[0])
    alert_of(world.north.clients[0])
    quarantined_of(world.north)
    with tenancy.access_context(world.north.system):
        _two_more(world.north)
    close(world.north)
    one = {"limit": 1}
    assert len(north.data(path, limit=3)) == 3
    assert count_queries(lambda: north.data(path, **one)) == count_queries(lambda: north.data(path, limit=3))


def test_lines_of_three_rewards_take_the_queries_of_one(north: Caller, october: October) -> None:
    path = f"documents/{october.north[0].code}/lines"
    assert len(north.data(path)) == 3
    assert count_queries(lambda: north.data(path, limit=1)) == count_queries(lambda: north.data(path, limit=3))


def test_a_page_of_rewards_with_all_its_parts_takes_five_queries(world: World, north: Caller) -> None:
    with CaptureQueriesContext(connection) as captured:
        assert len(north.data("rewards")) == 6
    tables = [query["sql"] for query in captured if "mining_" in query["sql"] or "billing_" in query["sql"]]
    assert len(tables) == 5
