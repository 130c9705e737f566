"""Rewards: every record with its split, by customer, days and status."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from billing.models import Document
from billing.settlement import close_period
from customers import tenancy
from mining.models import MiningAccount, Reward
from tests.billing.books import change_amount
from tests.portal.customer.scenes import statement_of
from tests.portal.staff.reading import heading, text
from tests.world import FIRST_DAY, NOW, Tenant, World, make_reward

pytestmark = pytest.mark.django_db

LIST = "/staff/rewards/"


def listed(tenant: Tenant, **filters: str) -> list[tuple[str, str]]:
    answer = tenant.auditor.browser().get(LIST, filters)
    return [
        (str(reward.day), reward.customer.name if reward.customer else "-") for reward, *_ in answer.context["rows"]
    ]


ALDER, BIRCH = "Alder & Finch", "Birch Mining"


def test_newest_day_first_and_only_ones_own(world: World) -> None:
    assert listed(world.north) == [
        ("2026-10-03", BIRCH),
        ("2026-10-03", ALDER),
        ("2026-10-02", BIRCH),
        ("2026-10-02", ALDER),
        ("2026-10-01", BIRCH),
        ("2026-10-01", ALDER),
    ]
    page = world.north.auditor.browser().get(LIST).content.decode()
    for client in world.south.clients:
        assert client.customer.code not in page


def test_filters_narrow_by_customer_days_and_status(north: Tenant) -> None:
    with tenancy.access_context(north.system):
        make_reward(north.clients[0].account, FIRST_DAY + timedelta(days=3), status="pending")
    assert listed(north, status="pending") == [("2026-10-04", ALDER)]
    assert listed(north, q="birch", date_from="2026-10-02") == [("2026-10-03", BIRCH), ("2026-10-02", BIRCH)]
    assert listed(north, date_from="2026-10-01", date_to="2026-10-01") == [("2026-10-01", BIRCH), ("2026-10-01", ALDER)]
    assert listed(north, customer=north.clients[1].customer.code, date_to="2026-10-01") == [("2026-10-01", BIRCH)]
    assert listed(north, status="canceled") == []


def test_a_wrong_filter_is_told_and_nothing_is_listed(north: Tenant) -> None:
    for filters, says in (
        ({"date_from": "yesterday"}, "Enter a valid date."),
        ({"date_from": "2026-10-03", "date_to": "2026-10-01"}, "This day is before the first one."),
        ({"status": "x"}, "Select a valid choice."),
    ):
        answer = north.owner.browser().get(LIST, filters)
        assert says in text(answer)
        assert "Nothing is listed" in text(answer)
        assert answer.context["rows"] == []


def test_another_providers_customer_is_no_filter(world: World) -> None:
    code = world.south.clients[0].customer.code
    assert world.north.owner.browser().get(LIST, {"customer": code}).status_code == 404
    place = world.south.clients[0].rewards[0].code
    assert world.north.owner.browser().get(LIST, {"after": place}).status_code == 404


def test_pages_follow_each_other_over_rewards_of_one_day(north: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.views.paging.keyset.__kwdefaults__", {"size": 2})
    whole = listed(north)
    assert len(whole) == 2
    browser, seen, filters = north.owner.browser(), [], {"date_from": "2026-10-01"}
    after: str | None = ""
    while after is not None:
        answer = browser.get(LIST, filters | ({"after": after} if after else {}))
        seen += [reward.code for reward, *_ in answer.context["rows"]]
        after = answer.context["after"]
    rewards = [reward.code for client in north.clients for reward in client.rewards]
    assert len(seen) == len(rewards)
    assert set(seen) == set(rewards)


def test_what_has_no_split_says_why(north: Tenant) -> None:
    with tenancy.access_context(north.system):
        stray = MiningAccount.objects.create(
            provider=north.provider, login=north.login, name="stray", state="active", first_seen_at=NOW
        )
        make_reward(stray, FIRST_DAY + timedelta(days=9))
        make_reward(north.clients[0].account, FIRST_DAY - timedelta(days=1), occurrence=2)
        Reward.objects.filter(pk=north.clients[0].rewards[0].pk).update(missing_since=NOW)
        make_reward(north.clients[1].account, FIRST_DAY + timedelta(days=8), status="canceled")
    words = text(north.owner.browser().get(LIST))
    assert "10 Oct 2026 Final No customer stray no terms for this day us" in words
    assert (
        "record 2 of the day Final Alder & Finch client_0 no terms for this day us 0.00002500 0.00097500 – –" in words
    )
    assert "no longer listed by the pool" in words
    assert "9 Oct 2026 Canceled by the pool Birch Mining client_1 us 0.00002500 0.00097500 – –" in words


def test_the_headline_is_the_month_and_an_empty_list_says_why(north: Tenant) -> None:
    assert heading(north.owner.browser().get(LIST)) == "Rewards"
    with tenancy.access_context(north.system):
        make_reward(north.clients[0].account, NOW.date())
    assert heading(north.owner.browser().get(LIST)) == "0.00097500 BTC in November"
    assert "No reward matches." in text(north.owner.browser().get(LIST, {"q": "nobody"}))


def test_a_reward_that_its_document_says_otherwise_is_marked_with_the_draft_that_puts_it_right(north: Tenant) -> None:
    client = north.clients[0]
    document = statement_of(north)
    with tenancy.access_context(north.system):
        change_amount(client.rewards[1], "0.00200000", "0.00005000")
        make_reward(client.account, date(2026, 11, 1))
        close_period(north.system, month=date(2026, 11, 1), now=NOW + timedelta(days=30))
    mark = f"Was 0.00082875 on {document.number} , changed 4 Nov 2026 ; goes on the draft of November 2026"
    browser = north.auditor.browser()
    assert text(browser.get(LIST)).count(mark) == 1
    page = text(browser.get(f"/staff/documents/{document.code}/"))
    assert f"What changed after {document.number} +82,875 satoshi for Alder & Finch" in page
    assert mark in page


def test_a_day_without_a_reward_is_a_row_of_its_own(north: Tenant) -> None:
    with tenancy.access_context(north.system):
        make_reward(north.clients[0].account, date(2026, 10, 5))
    browser = north.auditor.browser()
    row = "4 Oct 2026 No reward Alder & Finch client_0 The pool lists none: unknown, not zero"
    assert row in text(browser.get(LIST))
    assert row in text(browser.get(LIST, {"q": "alder", "date_from": "2026-10-04"}))
    for filters in ({"q": "birch"}, {"status": "successful"}, {"date_to": "2026-10-03"}):
        assert "No reward" not in text(browser.get(LIST, filters))
    with tenancy.access_context(north.system):
        close_period(north.system, month=FIRST_DAY, now=NOW)
        draft = Document.objects.get(customer=north.clients[0].customer)
    assert "4 Oct No reward: the pool lists none" in text(browser.get(f"/staff/documents/{draft.code}/"))
    issuing = text(north.finance.browser().get(f"/staff/documents/issue/?document={draft.code}"))
    assert "1 day without a reward, unknown" in issuing
