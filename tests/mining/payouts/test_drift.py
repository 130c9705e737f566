"""Where rewards go, told by a story: what was found, what changed behind our back, and what a person agreed to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from customers.models import AuditEntry
from mining import accounts
from mining.models import Credential, MiningAccount, PayoutAgreement, PoolIntent, SyncRun
from mining.payouts import agreements
from mining.payouts import views as payout_views
from mining.payouts.views import PayoutView
from mining.tasks import run_asked_sync
from tests.logins import login_of
from tests.mining.hosting import Hosting, writes, written_between
from tests.refusals import refused

MAIN, EXTERNAL = "main_balance", "external_address"
ADDRESS = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
LEGACY = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"


def take_over(hosting: Hosting) -> Hosting:
    """The account `north` pays to the main balance and has a customer; nothing about payouts was read so far."""
    hosting.sync("accounts")
    with hosting.context():
        accounts.onboard_customer(
            hosting.access, name="Alder", email="", account_name="north", adopt=True, now=timezone.now()
        )
    return hosting


@pytest.fixture
def hosted(north: Hosting) -> Hosting:
    return take_over(north)


def change(hosting: Hosting, destination: str, **fields: str) -> None:
    hosting.pool.edit("set_payout", login="alpha", account="north", destination=destination, **fields)


def view(hosting: Hosting) -> PayoutView:
    account = hosting.account("north")
    with hosting.context():
        return payout_views.payout_view(hosting.access, account)


def all_agreements(hosting: Hosting) -> list[tuple[str, str | None, str, str]]:
    with hosting.context():
        rows = PayoutAgreement.objects.filter(mining_account__name="north").order_by("pk")
        return [(row.destination, row.address, row.source, row.agreed_by) for row in rows]


def told(hosting: Hosting) -> list[tuple[str, str, dict[str, Any]]]:
    with hosting.context():
        entries = AuditEntry.objects.filter(provider=hosting.provider, action__startswith="payout.").order_by("at")
        return [(entry.actor, entry.action, entry.details) for entry in entries]


def accept(hosting: Hosting, destination: str, address: str | None) -> PayoutAgreement:
    account = hosting.account("north")
    with hosting.context():
        return agreements.accept(hosting.access, account, destination=destination, address=address, now=timezone.now())


def end_alarm(hosting: Hosting) -> None:
    account = hosting.account("north")
    with hosting.context():
        agreements.end_alarm(hosting.access, account, now=timezone.now())


def test_what_stands_at_the_pool_when_the_account_comes_to_its_customer_is_what_was_agreed(hosted: Hosting) -> None:
    hosted.sync("payouts")

    assert all_agreements(hosted) == [(MAIN, None, "found", "worker")]
    seen = view(hosted)
    assert (seen.destination, seen.address, seen.drift_since, seen.not_acceptable) == (MAIN, None, None, None)
    with hosted.context():
        assert PayoutAgreement.objects.exclude(mining_account__name="north").count() == 0  # theirs have no customer


def test_a_change_behind_our_back_is_told_once_and_ends_when_the_pool_does_as_agreed(hosted: Hosting) -> None:
    hosted.sync("payouts")
    change(hosted, EXTERNAL, address=ADDRESS)
    before = timezone.now()
    hosted.sync("payouts")

    seen = view(hosted)
    assert (seen.destination, seen.address) == (EXTERNAL, ADDRESS)
    assert seen.drift_since is not None
    assert before <= seen.drift_since <= timezone.now()
    assert all_agreements(hosted) == [(MAIN, None, "found", "worker")]  # never taken for agreed
    drifts = ("worker", "payout.drifts", {"agreed": "the main balance", "at_pool": ADDRESS})
    assert told(hosted) == [drifts]
    with hosted.context():
        assert [account.name for account in payout_views.drifting(hosted.access)] == ["north"]

    counted = writes()
    run = hosted.sync("payouts")
    assert (run.rows_changed, view(hosted).drift_since, told(hosted)) == (0, seen.drift_since, [drifts])
    assert set(written_between(counted, writes())) == {"mining_syncrun"}

    change(hosted, MAIN)
    hosted.sync("payouts")
    assert view(hosted).drift_since is None
    assert told(hosted) == [drifts, ("worker", "payout.as_agreed", {})]


def test_a_drift_that_goes_on_to_another_place_says_since_when_it_is_there_and_leaves_a_trace(hosted: Hosting) -> None:
    hosted.sync("payouts")
    begun = None
    for address in (ADDRESS, LEGACY, ADDRESS):
        change(hosted, EXTERNAL, address=address)
        before = timezone.now()
        hosted.sync("payouts")
        hosted.sync("payouts")  # and stays there
        seen = view(hosted)
        assert seen.first_seen_at is not None
        assert before <= seen.first_seen_at <= timezone.now()
        begun = begun or seen.first_seen_at
        assert (seen.address, seen.drift_since) == (address, begun)
    assert [(action, details["at_pool"]) for _, action, details in told(hosted)] == [
        ("payout.drifts", ADDRESS),
        ("payout.drifts", LEGACY),
        ("payout.drifts", ADDRESS),
    ]

    with refused("payout.changed_meanwhile"):
        accept(hosted, EXTERNAL, LEGACY)  # as it was shown between the two
    accept(hosted, EXTERNAL, ADDRESS)
    assert (view(hosted).drift_since, view(hosted).first_seen_at) == (None, seen.first_seen_at)


def test_a_person_agrees_to_what_the_pool_says_now_and_to_nothing_else(hosted: Hosting) -> None:
    with refused("payout.not_read"):
        accept(hosted, MAIN, None)
    hosted.sync("payouts")
    change(hosted, EXTERNAL, address=ADDRESS)
    hosted.sync("payouts")

    for destination, address in [(MAIN, None), (EXTERNAL, LEGACY), (EXTERNAL, None)]:
        with refused("payout.changed_meanwhile"):
            accept(hosted, destination, address)
    assert (view(hosted).drift_since is not None, len(all_agreements(hosted))) == (True, 1)

    accept(hosted, EXTERNAL, ADDRESS)
    accept(hosted, EXTERNAL, ADDRESS)  # clicked twice
    assert view(hosted).drift_since is None
    assert all_agreements(hosted) == [(MAIN, None, "found", "worker"), (EXTERNAL, ADDRESS, "accepted", "operator")]
    accepted = ("operator", "payout.accepted", {"before": "the main balance", "agreed": ADDRESS})
    assert told(hosted).count(accepted) == 1
    hosted.sync("payouts")
    assert view(hosted).drift_since is None

    change(hosted, MAIN)
    hosted.sync("payouts")
    assert view(hosted).drift_since is not None  # what was agreed before does not count any more


def test_what_the_pool_went_on_to_since_it_was_shown_is_read_at_once(hosted: Hosting) -> None:
    hosted.sync("payouts")
    change(hosted, EXTERNAL, address=ADDRESS)
    hosted.sync("payouts")
    change(hosted, EXTERNAL, address=LEGACY)  # nobody has read that yet
    accept(hosted, EXTERNAL, ADDRESS)
    with hosted.context():
        (run,) = SyncRun.objects.filter(provider=hosted.provider, state=SyncRun.State.QUEUED)
    assert (run.subject, run.login_id, run.asked) == ("payouts", hosted.login_id, True)

    run_asked_sync(hosted.provider.pk, run.pk, run.turns)
    assert (view(hosted).address, view(hosted).drift_since is None) == (LEGACY, False)


def test_without_a_key_that_could_read_nothing_is_asked_for(hosted: Hosting) -> None:
    hosted.sync("payouts")
    change(hosted, EXTERNAL, address=ADDRESS)
    hosted.sync("payouts")
    with hosted.context():
        Credential.objects.filter(provider=hosted.provider).update(state=Credential.State.REFUSED)
    accept(hosted, EXTERNAL, ADDRESS)
    with hosted.context():
        assert not SyncRun.objects.filter(provider=hosted.provider, state=SyncRun.State.QUEUED).exists()


def test_an_account_without_a_customer_has_nothing_agreed(hosted: Hosting) -> None:
    hosted.sync("payouts")
    account = hosted.account("south")
    destination, address = str(account.payout_destination), account.payout_address
    with hosted.context(), refused("account.no_customer"):
        agreements.accept(hosted.access, account, destination=destination, address=address, now=timezone.now())


def test_what_nobody_understands_or_can_be_paid_at_cannot_be_agreed(hosted: Hosting) -> None:
    hosted.pool.fault("destination_unknown", endpoint="payout-destination")
    hosted.sync("payouts")
    assert (all_agreements(hosted), view(hosted).destination) == ([], "unknown")
    assert view(hosted).drift_since is not None
    with refused("payout.destination_unknown"):
        accept(hosted, "unknown", None)

    hosted.pool.clear_faults()
    change(hosted, EXTERNAL, address=ADDRESS)
    hosted.sync("payouts")
    assert (all_agreements(hosted), view(hosted).drift_since is None) == ([], False)  # what comes next is not "found"
    change(hosted, MAIN)
    hosted.sync("payouts")
    assert (all_agreements(hosted), view(hosted).drift_since is None) == ([], False)
    accept(hosted, MAIN, None)
    assert (all_agreements(hosted), view(hosted).drift_since) == ([(MAIN, None, "accepted", "operator")], None)

    with hosted.context():  # no pool takes such an address; a reading could still bring one
        MiningAccount.objects.filter(name="north").update(payout_destination=EXTERNAL, payout_address=ADDRESS[:-1])
    with refused("payout.address_invalid"):
        accept(hosted, EXTERNAL, ADDRESS[:-1])


@pytest.mark.parametrize("agreed", [True, False])
def test_a_person_ends_the_alarm_of_an_account_that_is_gone(hosted: Hosting, agreed: bool) -> None:
    if agreed:
        hosted.sync("payouts")
    hosted.pool.fault("destination_unknown", endpoint="payout-destination")
    hosted.sync("payouts")
    hosted.pool.clear_faults()
    with refused("account.answered_for"):
        end_alarm(hosted)

    change(hosted, EXTERNAL, address=ADDRESS)
    hosted.sync("payouts")
    with hosted.context():  # as the list of accounts says of one that is gone
        MiningAccount.objects.filter(name="north").update(unlisted_since=timezone.now())
    hosted.sync("payouts")
    assert (view(hosted).drift_since is None, view(hosted).is_lost) == (False, True)

    end_alarm(hosted)
    assert (view(hosted).drift_since, view(hosted).destination) == (None, "unknown")
    assert told(hosted)[-1] == ("operator", "payout.alarm_ended", {"at_pool": ADDRESS})
    with refused("payout.not_drifting"):
        end_alarm(hosted)

    with hosted.context():  # it comes back
        MiningAccount.objects.filter(name="north").update(unlisted_since=None)
    hosted.sync("payouts")
    assert len(all_agreements(hosted)) == int(agreed)  # and is not taken for agreed
    assert view(hosted).drift_since is not None


def test_a_reading_that_failed_is_no_drift(hosted: Hosting) -> None:
    hosted.sync("payouts")
    before = view(hosted)
    change(hosted, EXTERNAL, address=ADDRESS)

    for fault in ("empty_body", "data_missing", "permission_missing"):
        hosted.pool.fault(fault, endpoint="payout-destination")
        assert hosted.sync("payouts").state == "failed"
        hosted.pool.clear_faults()

    assert view(hosted) == before


def test_capitals_count_in_base58_and_not_in_bech32() -> None:
    for address, other_case, same in ((ADDRESS, ADDRESS.upper(), True), (LEGACY, LEGACY.swapcase(), False)):
        agreed = PayoutAgreement(destination=EXTERNAL, address=address)
        assert agreements.agrees_with(agreed, EXTERNAL, address)
        assert agreements.agrees_with(agreed, EXTERNAL, other_case) is same
        assert not agreements.agrees_with(agreed, EXTERNAL, None)
        assert not agreements.agrees_with(agreed, MAIN, address)


def test_an_answer_from_around_our_own_change_is_set_aside(hosted: Hosting) -> None:
    """A reading was under way when a change went through: what it brings is older than what was agreed."""
    hosted.sync("payouts")
    account = hosted.account("north")
    with hosted.context():
        assert account.customer is not None
        intent = PoolIntent.objects.create(
            provider=hosted.provider,
            kind=PoolIntent.Kind.EDIT_PAYOUT,
            state=PoolIntent.State.CALLED,
            customer=account.customer,
            login=login_of(hosted.provider),
            account_name="north",
            mining_account=account,
            created_at=timezone.now(),
        )
    change(hosted, EXTERNAL, address=ADDRESS)

    hosted.sync("payouts")  # the call is under way
    assert (view(hosted).destination, view(hosted).drift_since) == (MAIN, None)

    change(hosted, MAIN)  # as the pool's answer was before the call came through
    with hosted.context():
        PoolIntent.objects.filter(pk=intent.pk).update(state=PoolIntent.State.DONE)
        agreements.record_agreement(
            account,
            destination=EXTERNAL,
            address=ADDRESS,
            source=PayoutAgreement.Source.CHANGED,
            by="robin@example.org",
            now=timezone.now() + timedelta(minutes=1),
        )
    hosted.sync("payouts")
    seen = view(hosted)
    assert (seen.destination, seen.address, seen.drift_since) == (EXTERNAL, ADDRESS, None)
    assert all_agreements(hosted)[-1] == (EXTERNAL, ADDRESS, "changed", "robin@example.org")


def test_the_neighbour_sees_none_of_it(hosted: Hosting, south: Hosting) -> None:
    hosted.sync("payouts")
    change(hosted, EXTERNAL, address=ADDRESS)
    hosted.sync("payouts")
    account = hosted.account("north")

    with south.context():
        assert payout_views.drifting(south.access) == []
        assert PayoutAgreement.objects.count() == 0
        assert payout_views.payout_view(south.access, account).agreed is None
