"""A quarantined record is settled by a person, on its page and over the API alike."""

from __future__ import annotations

from typing import Any

import pytest

from customers import tenancy
from mining.models import QuarantinedRecord, Reward
from tests.portal.api.conftest import Caller
from tests.portal.staff.reading import heading, rows, text
from tests.world import Tenant, World, make_twin

pytestmark = pytest.mark.django_db

SAID = {"decision": "another", "note": "The pool paid twice."}


@pytest.fixture
def twin(north: Tenant) -> QuarantinedRecord:
    with tenancy.access_context(north.system):
        return make_twin(north)


def address(twin: QuarantinedRecord) -> str:
    return f"/staff/quarantine/{twin.code}/"


def of_the_day(north: Tenant, twin: QuarantinedRecord) -> list[Reward]:
    return rows(north, Reward, day=twin.day, mining_account__name=twin.account_name)


def test_finance_says_what_it_is_and_the_page_keeps_who_and_why(north: Tenant, twin: QuarantinedRecord) -> None:
    browser = north.finance.browser()
    assert f"{twin.account_name} at main, for 1 Oct 2026" in text(browser.get(address(twin)))
    browser.post(address(twin), north.finance.form(decision="another", note=""))
    assert len(of_the_day(north, twin)) == 1

    answer = browser.post(address(twin), north.finance.form(**SAID))

    assert answer["Location"] == address(twin)
    page = browser.get(address(twin))
    words = text(page)
    assert heading(page) == "A second record exactly like another one: the first counts"
    assert "A reward of its own: taken in The pool paid twice." in words
    assert "Settle it" not in words
    assert [reward.occurrence for reward in of_the_day(north, twin)] == [1, 2]
    assert address(twin) not in browser.get("/staff/sync/").content.decode()


def test_support_and_auditors_look_and_do_not_settle(north: Tenant, twin: QuarantinedRecord) -> None:
    for person in (north.support, north.auditor):
        assert "Settle it" not in text(person.browser().get(address(twin)))
        assert person.browser().post(address(twin), person.form(**SAID)).status_code == 403
    assert len(of_the_day(north, twin)) == 1


def test_the_api_settles_it_once(world: World, twin: QuarantinedRecord) -> None:
    caller = Caller(world.north.api())
    path = f"quarantined-records/{twin.code}"
    before: Any = caller.get(path).json()
    assert (before["choices"], before["settled_as"], before["date"]) == (["another", "same"], None, "2026-10-01")
    assert before["may_be"] == [reward.code for reward in of_the_day(world.north, twin)]

    answers = [caller.post(f"{path}/settle", SAID) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    first, second = of_the_day(world.north, twin)
    told = answers[1].json()
    assert (told["settled_as"], told["reward"], told["choices"], told["may_be"]) == ("another", second.code, [], [])
    assert (told["note"], first.net_sat) == (SAID["note"], second.net_sat)
    other = caller.post(f"{path}/settle", SAID | {"decision": "same"})
    assert (other.status_code, other.json()["type"]) == (409, "/problems/quarantine.settled")
    assert caller.get("quarantined-records?settled=false").json()["data"] == []
