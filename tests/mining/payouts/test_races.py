"""What two hands do to one payout at the same moment: readings, people, and an account that comes and goes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from customers.errors import Refused
from mining import runs
from mining.models import MiningAccount, SyncRun
from mining.models.runs import Subject
from mining.payouts import agreements
from mining.tasks import run_asked_sync
from tests.mining.hosting import Hosting
from tests.mining.payouts.test_drift import (
    ADDRESS,
    EXTERNAL,
    LEGACY,
    MAIN,
    accept,
    all_agreements,
    change,
    take_over,
    told,
    view,
)
from tests.waiting import ended, in_thread, waits_for_us


@pytest.fixture
def hosted(north: Hosting) -> Hosting:
    return take_over(north)


def drift(hosting: Hosting, address: str = ADDRESS) -> None:
    """Agreed is the main balance; the pool pays to this address."""
    hosting.sync("payouts")
    change(hosting, EXTERNAL, address=address)
    hosting.sync("payouts")


def refusal(hosting: Hosting, address: str, codes: list[str]) -> None:
    try:
        accept(hosting, EXTERNAL, address)
    except Refused as error:
        codes.append(error.code)


def queued(hosting: Hosting) -> list[SyncRun]:
    with hosting.context():
        return list(SyncRun.objects.filter(provider=hosting.provider, state=SyncRun.State.QUEUED))


def test_of_two_people_who_agree_at_once_one_writes(hosted: Hosting) -> None:
    drift(hosted)
    account = hosted.account("north")
    with hosted.context():
        agreements.accept(hosted.access, account, destination=EXTERNAL, address=ADDRESS, now=timezone.now())
        other = in_thread(lambda: accept(hosted, EXTERNAL, ADDRESS))
        assert waits_for_us(other)
    ended(other)
    assert [source for _, _, source, _ in all_agreements(hosted)] == ["found", "accepted"]


def test_who_agrees_while_a_reading_brings_another_place_agrees_to_nothing(hosted: Hosting) -> None:
    drift(hosted)
    codes: list[str] = []
    with hosted.context():  # as a reading that has not committed yet
        MiningAccount.objects.select_for_update().get(name="north")
        MiningAccount.objects.filter(name="north").update(payout_address=LEGACY)
        person = in_thread(lambda: refusal(hosted, ADDRESS, codes))
        assert waits_for_us(person)
    ended(person)
    assert (codes, len(all_agreements(hosted))) == (["payout.changed_meanwhile"], 1)


def test_a_reading_that_began_before_somebody_agreed_changes_nothing(hosted: Hosting) -> None:
    drift(hosted)
    hosted.pool.hold("payout-destination")
    reading = in_thread(lambda: hosted.sync("payouts"))
    hosted.pool.until_struck()
    accept(hosted, EXTERNAL, ADDRESS)
    change(hosted, MAIN)
    hosted.pool.clear_faults()
    ended(reading)
    seen = view(hosted)
    assert (seen.address, seen.drift_since) == (ADDRESS, None)

    (again,) = queued(hosted)  # it is not left so until the next turn
    assert (again.subject, again.login_id, again.asked) == ("payouts", hosted.login_id, True)
    run_asked_sync(hosted.provider.pk, again.pk, again.turns)
    assert (view(hosted).destination, view(hosted).drift_since is None) == (MAIN, False)
    assert queued(hosted) == []
    assert told(hosted)[-1] == ("worker", "payout.drifts", {"agreed": ADDRESS, "at_pool": "the main balance"})


def test_a_reading_that_has_stored_all_does_not_end_unseen_while_somebody_agrees(hosted: Hosting) -> None:
    drift(hosted)
    account, watch = hosted.account("north"), runs.Watch(timezone.now())
    with hosted.context():
        opened, _ = runs.open_run(hosted.provider.pk, hosted.login_id, Subject.PAYOUTS, now=watch.now())
    run = runs.claim(hosted.provider.pk, opened.pk, watch)
    assert run is not None

    def end() -> None:
        runs.finish(run, SyncRun.State.OK, error="", watch=watch)
        agreements.read_once_more(run, now=watch.now())

    with hosted.context():
        agreements.accept(hosted.access, account, destination=EXTERNAL, address=ADDRESS, now=watch.now())
        reading = in_thread(end)
        assert waits_for_us(reading)
    ended(reading)
    assert [again.subject for again in queued(hosted)] == ["payouts"]


def test_of_two_readings_at_once_the_one_that_was_given_up_writes_nothing(hosted: Hosting) -> None:
    hosted.sync("payouts")
    hosted.pool.hold("payout-destination")
    given_up = in_thread(lambda: hosted.sync("payouts"))
    hosted.pool.until_struck()
    with hosted.context():  # its lease is over: it may have died
        SyncRun.objects.filter(state="running").update(lease_until=timezone.now() - timedelta(seconds=1))
    change(hosted, EXTERNAL, address=ADDRESS)
    hosted.sync("payouts")
    drifts = view(hosted)
    assert drifts.drift_since is not None

    change(hosted, MAIN)
    hosted.pool.clear_faults()
    ended(given_up)
    assert view(hosted) == drifts
    hosted.sync("payouts")
    assert view(hosted).drift_since is None


def test_an_account_that_goes_and_comes_back_still_drifts_since_it_did(hosted: Hosting) -> None:
    drift(hosted)
    before, audit = view(hosted), told(hosted)
    for unlisted_since in (timezone.now(), None):
        with hosted.context():
            MiningAccount.objects.filter(name="north").update(unlisted_since=unlisted_since)
        hosted.sync("payouts")
        seen = view(hosted)
        assert seen.is_lost is (unlisted_since is not None)
        assert (seen.address, seen.first_seen_at, seen.drift_since) == (
            ADDRESS,
            before.first_seen_at,
            before.drift_since,
        )
    assert told(hosted) == audit

    change(hosted, MAIN)
    hosted.sync("payouts")
    assert view(hosted).drift_since is None
