"""The page of alerts: what is open first, what was below, each with the way to where it is seen to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.models import AuditEntry
from mining.alerts import rules
from mining.models import Alert, AlertRule, AlertWishes, MiningAccount, PoolIntent
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


# --- Who has it, and the rules


def hall(tenant: Tenant) -> Alert:
    """Both customers, told as one."""
    with tenant.context():
        group = Alert.objects.create(
            provider=tenant.provider, kind="workers_offline", is_group=True, site="hall 2", stood_at=NOW, opened_at=NOW
        )
        for client, machines in zip(tenant.clients, (6, 2), strict=True):
            Alert.objects.create(
                provider=tenant.provider, kind="workers_offline", customer=client.customer,
                mining_account=client.account, group=group, stood_at=NOW, opened_at=NOW, value=machines, base=machines,
                machines=machines,
            )  # fmt: skip
    return group


def test_what_fell_together_is_one_line_that_leads_to_the_many(north: Tenant) -> None:
    group = hall(north)
    browser = north.auditor.browser()
    board = browser.get(PAGE)
    assert heading(board) == "1 alert is open"
    assert "8 machines of 2 customers in hall 2 went down together: Alder & Finch, Birch Mining" in text(board)
    words = text(browser.get(f"{PAGE}{group.code}/"))
    assert "2 alerts told as this one" in words
    assert words.index("Alder & Finch: 6 of 6 machines down") < words.index("Birch Mining: 2 of 2 machines down")


def test_whoever_takes_an_alert_has_it_until_it_is_given_on_and_its_note_stands_beside_it(north: Tenant) -> None:
    group, support = hall(north), north.support
    browser = support.browser()
    browser.post(f"{PAGE}{group.code}/acknowledge/", support.form())
    assert "taken by support@north.example" in text(browser.get(PAGE))
    browser.post(f"{PAGE}{group.code}/assign/", support.form(member=north.finance.membership.code))
    browser.post(f"{PAGE}{group.code}/note/", support.form(note="fuse blown"))
    words = text(browser.get(PAGE))
    assert f"{north.finance.user.name or north.finance.user.email} has it" in words
    assert "“fuse blown” support@north.example" in words
    with north.context():
        audited = AuditEntry.objects.filter(subject=group.code).values_list("action", flat=True)
        assert sorted(audited) == ["alert.acknowledged", "alert.assigned", "alert.noted"]


def test_a_rule_is_changed_on_its_page_and_what_makes_no_sense_is_said_there(north: Tenant) -> None:
    with north.context():
        rules.make_missing(north.provider.pk)
        rule = AlertRule.objects.get(kind="hashrate_low")
    given = {
        "is_on": "on", "threshold": "60", "unit": "percent", "grace_minutes": "15", "ends_at": "55",
        "clear_minutes": "10", "repeat_minutes": "", "group_percent": "30", "group_minutes": "15",
    }  # fmt: skip
    browser, page = north.support.browser(), f"{PAGE}rules/{rule.code}/"
    answer = browser.post(page, north.support.form(**given))
    assert "It has to end on the other side of the limit at which it begins." in text(answer)
    browser.post(page, north.support.form(**given | {"ends_at": "65"}))
    assert "When hashrate is below 60 % of its own 24 h mean for 15 min; it ends above 65 %" in text(
        browser.get(f"{PAGE}rules/")
    )


def test_what_one_is_mailed_is_ones_own_and_an_auditor_may_say_it_too(north: Tenant) -> None:
    who = north.auditor
    given = who.form(kinds=["workers_offline"], quiet_from="22:00", quiet_until="06:30", time_zone="Europe/Oslo")
    who.browser().post(f"{PAGE}mails/", given)
    with north.context():
        kept = AlertWishes.objects.get()
    assert (kept.membership_id, kept.kinds, kept.time_zone, kept.alarms_wake) == (
        who.membership.pk, ["workers_offline"], "Europe/Oslo", False,
    )  # fmt: skip
