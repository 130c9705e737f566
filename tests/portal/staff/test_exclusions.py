"""Exclusions on a page: what they change is shown in numbers before they are entered; ended, changed, taken back."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import pytest

from customers.models import AuditEntry
from mining.fleet import uptime
from mining.models import Exclusion, UptimeDay
from tests.portal.customer.scenes import words
from tests.portal.fleet import a_fleet
from tests.world import NOW, Tenant, World

pytestmark = pytest.mark.django_db
PATH = "/staff/exclusions/"
# The three times two hours in which rig8 was down, and what lies between them.
WINDOW = {
    "reason": "power",
    "scope": "site",
    "which": "Bergvik hall 2",
    "from_at": "2026-10-21T00:00",
    "until_at": "2026-10-24T00:00",
    "note": "ticket 88123",
}


@pytest.fixture
def north(world: World) -> Tenant:
    a_fleet(world.north)
    return world.north


def post(tenant: Tenant, path: str = f"{PATH}new/", **fields: Any) -> str:
    answer = tenant.support.browser().post(path, tenant.support.form(**fields), follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def seen_in(html: str) -> str:
    found = re.search(r'name="seen" value="([0-9a-f]+)"', html)
    assert found is not None
    return found[1]


def entered(tenant: Tenant) -> list[Exclusion]:
    with tenant.context():
        return list(Exclusion.objects.exclude(note="asked for by the grid").order_by("pk"))


def october(tenant: Tenant) -> uptime.Uptime:
    with tenant.context():
        return uptime.month(tenant.system, tenant.clients[0].account, date(2026, 10, 1), now=NOW)


def test_what_a_window_changes_is_shown_first_and_nothing_is_entered(north: Tenant) -> None:
    uptime.fill(north.provider.pk, now=NOW)
    before = october(north)

    text = words(post(north, **WINDOW)).replace("\u00a0", " ")

    assert "What it changes: 1 customer, 10 machines; 2,592,000 machine-seconds count no longer." in text
    assert "Alder & Finch October 2026 October 2026 99.9175 % 100.0000 % +2,592,000" in text
    assert "Exclude 3 d for 1 customer" in text
    assert (entered(north), october(north)) == ([], before)
    with north.context():
        assert (
            not AuditEntry.objects.filter(action="exclusion.entered")
            .exclude(actor="")
            .filter(actor=north.support.user.email)
        )
        assert UptimeDay.objects.filter(day=date(2026, 10, 22), mining_account=north.clients[0].account).count() == 2


def test_what_was_seen_is_entered_and_what_differs_is_shown_again(north: Tenant) -> None:
    seen = seen_in(post(north, **WINDOW))

    other = post(north, **{**WINDOW, "until_at": "2026-10-23T00:00"}, seen=seen)
    assert "Exclude 2 d for 1 customer" in words(other).replace("\u00a0", " ")
    assert entered(north) == []
    done = post(north, **WINDOW, seen=seen)

    (exclusion,) = entered(north)
    assert "The window stands." in words(done)
    assert (exclusion.site, exclusion.reason, exclusion.note) == ("Bergvik hall 2", "power", "ticket 88123")
    assert exclusion.entered_by == north.support.user.email
    assert october(north).down_s == 0


def test_one_machine_one_customer_or_everything_can_be_meant(world: World, north: Tenant) -> None:
    machine = a_fleet(north)["rig8"]
    for scope, which, told in (
        ("worker", machine.code, "1 customer, 1 machine;"),
        ("customer", "alder & finch", "1 customer, 10 machines;"),
        ("all", "", "2 customers, 10 machines;"),
    ):
        assert told in words(post(north, **{**WINDOW, "scope": scope, "which": which}))
    for scope, which, problem in (
        ("customer", "Nobody", "There is no such customer."),
        ("worker", a_fleet(world.south)["rig8"].code, "There is no such machine."),
        ("site", "", "Say which one."),
    ):
        assert problem in words(post(north, **{**WINDOW, "scope": scope, "which": which}))


def test_what_is_refused_says_so_beside_the_form(north: Tenant) -> None:
    text = words(post(north, **{**WINDOW, "until_at": WINDOW["from_at"]}))
    assert "An exclusion ends after it begins." in text
    assert "Write the moment as 2026-10-31T14:30." in words(post(north, **{**WINDOW, "from_at": "yesterday"}))


def test_running_planned_and_past_ones_stand_apart(north: Tenant) -> None:
    for begins, ends, note in ((-1, 2, "first note"), (24, 26, "second note"), (-5, -4, "third note")):
        window = {
            "from_at": (NOW + timedelta(hours=begins)).strftime("%Y-%m-%dT%H:%M"),
            "until_at": (NOW + timedelta(hours=ends)).strftime("%Y-%m-%dT%H:%M"),
            "note": note,
        }
        seen = seen_in(post(north, **{**WINDOW, **window}))
        post(north, **{**WINDOW, **window}, seen=seen)

    text = words(north.auditor.browser().get(PATH).content)

    assert text.startswith("Bergvik hall 2 is excluded until 16:32 1 window running, 1 planned")
    places = [text.index(told) for told in ("Now", "first note", "second note", "Past windows", "third note")]
    assert places == sorted(places)
    assert "Power 2 h" in text.replace("\u00a0", " ")
    assert "New window" not in text  # an auditor enters none


def test_one_is_ended_early_extended_and_taken_back_each_audited(north: Tenant) -> None:
    post(north, **WINDOW, seen=seen_in(post(north, **WINDOW)))
    (exclusion,) = entered(north)
    change = f"{PATH}{exclusion.code}/change/"

    post(north, change, until_at="2026-10-25T00:00")
    assert october(north).excluded_s == 144_000 + 10 * 4 * 86_400
    assert "This exclusion is over already." in words(post(north, f"{PATH}{exclusion.code}/end/"))
    post(north, change, act="withdraw")

    assert october(north).excluded_s == 144_000
    assert "ticket 88123" not in words(north.auditor.browser().get(PATH).content)
    with north.context():
        told = AuditEntry.objects.filter(subject=exclusion.code).order_by("at", "pk").values_list("action", "actor")
        assert sorted(told) == sorted(
            (action, north.support.user.email)
            for action in ("exclusion.entered", "exclusion.end_changed", "exclusion.end_changed")
        )


def test_another_providers_window_is_no_page(world: World, north: Tenant) -> None:
    with north.context():
        code = Exclusion.objects.get().code
    assert world.south.owner.browser().get(f"{PATH}{code}/change/").status_code == 404
