"""The page of alerts: what is open first, what was below, each with the way to where it is seen to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mining.models import Alert, MiningAccount, PoolIntent
from tests.portal.staff.reading import heading, text
from tests.world import NOW, Tenant, World

pytestmark = pytest.mark.django_db
PAGE = "/staff/alerts/"


def drift(tenant: Tenant, **fields: Any) -> Alert:
    client = tenant.clients[0]
    with tenant.context():
        return Alert.objects.create(
            provider=tenant.provider, kind="payout_drift", customer=client.customer, mining_account=client.account,
            **{"stood_at": NOW - timedelta(hours=1), "opened_at": NOW - timedelta(minutes=3)} | fields,
        )  # fmt: skip


def silent(tenant: Tenant, kind: str, **fields: Any) -> Alert:
    with tenant.context():
        return Alert.objects.create(
            provider=tenant.provider, kind=kind, credential=tenant.credential, stood_at=NOW, opened_at=NOW, **fields
        )


def doubt(tenant: Tenant, kind: str = "create_link") -> None:
    customer = tenant.clients[1].customer
    with tenant.context():
        intent = PoolIntent.objects.create(
            provider=tenant.provider, kind=kind, state="unknown", login=tenant.login, account_name="client_1",
            customer=customer, created_at=NOW,
        )  # fmt: skip
        Alert.objects.create(
            provider=tenant.provider, kind="act_in_doubt", customer=customer, intent=intent, stood_at=NOW, opened_at=NOW
        )


def test_without_alerts_it_says_so(north: Tenant, world: World) -> None:
    drift(world.south)
    page = north.auditor.browser().get(PAGE)
    assert heading(page) == "No alert is open"
    assert "What was" not in text(page)


def test_what_is_open_says_since_when_whether_it_was_mailed_and_leads_to_the_page(north: Tenant) -> None:
    drift(north, told_at=NOW - timedelta(minutes=2))
    silent(north, "key_quiet", problem="The mail server did not take the mail. (TimeoutError)")
    page = north.auditor.browser().get(PAGE)
    assert heading(page) == "2 alerts are open"
    words = text(page)
    assert (
        "Alder & Finch: the pool pays the rewards elsewhere than was agreed found 3 min ago , mailed 2 min ago Alarm"
        in words
    )
    assert (
        "The pool has not answered the key of main for 3 days found just now , not mailed yet:"
        " The mail server did not take the mail. (TimeoutError) Warning" in words
    )
    html = page.content.decode()
    assert f'href="/staff/customers/{north.clients[0].customer.code}/#payout"' in html
    assert 'class="strong" href="/staff/keys/"' in html


@pytest.mark.parametrize(
    ("kind", "part"), [("create_link", "#links"), ("create_account", "#account"), ("edit_payout", "")]
)
def test_an_act_in_doubt_leads_where_the_overview_leads(north: Tenant, kind: str, part: str) -> None:
    doubt(north, kind)
    way = f'href="/staff/customers/{north.clients[1].customer.code}/{part}"'
    for page in (PAGE, "/staff/"):
        assert way in north.owner.browser().get(page).content.decode()


def test_what_was_stays_readable(north: Tenant) -> None:
    drift(north, told_at=NOW, ended_at=NOW + timedelta(hours=1))
    with north.context():  # it drifts again by now, and has gone on
        MiningAccount.objects.filter(pk=north.clients[0].account.pk).update(
            payout_drift_since=NOW, payout_first_seen_at=NOW + timedelta(hours=2)
        )
    silent(north, "key_silent", ended_at=NOW)
    page = north.auditor.browser().get(PAGE)
    assert heading(page) == "No alert is open"
    words = text(page)
    assert "for 7 days Alarm ended before 4 Nov 2026, 14:32 UTC 4 Nov 2026, 14:32 UTC" in words
    assert "agreed Alarm 4 Nov 2026, 14:32 UTC 4 Nov 2026, 14:29 UTC 4 Nov 2026, 15:32 UTC" in words


def test_the_page_costs_the_same_for_few_alerts_and_for_many(north: Tenant) -> None:
    def queries() -> int:
        browser = north.owner.browser()
        with CaptureQueriesContext(connection) as seen:
            assert browser.get(PAGE).status_code == 200
        return len(seen)

    drift(north)
    drift(north, ended_at=NOW)
    few = queries()
    doubt(north)
    silent(north, "key_quiet")
    silent(north, "key_silent", ended_at=NOW)
    doubt(north)
    assert queries() == few
