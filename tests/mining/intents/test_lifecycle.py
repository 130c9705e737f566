"""What all acts at the pool have in common, and the edit of a payout destination."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from customers.models import AuditEntry
from mining import dispatch, intents, planner, tasks
from mining.intents import lifecycle, settling
from mining.models import Credential, MiningAccount, PayoutAgreement, PoolIntent, WatcherLink
from mining.payouts import agreements
from tests.mining.hosting import Hosting
from tests.mining.links.watching import LOOKED, SETTLED, Watched, watched
from tests.mining.test_accounts import onboard
from tests.refusals import refused
from tests.waiting import ended, in_thread

State = PoolIntent.State
ADDRESS, OTHER = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"


@pytest.fixture
def account(north: Hosting) -> Watched:
    seen = watched(north)
    north.sync("payouts")
    return seen


def plan_edit(account: Watched, address: str | None = ADDRESS, *, approved_by: str = "two@north.example") -> PoolIntent:
    destination = "main_balance" if address is None else "external_address"
    with account.hosting.context():
        return intents.plan_edit(
            account.hosting.access,
            account.account,
            destination=destination,
            address=address,
            approved_by=approved_by,
            now=account.now,
        )


def settle(account: Watched, intent: PoolIntent, *, after: timedelta = timedelta()) -> PoolIntent:
    account.look(intent, after=after)
    return account.intents(pk=intent.pk)[0]


def at_pool(account: Watched) -> tuple[str, str | None]:
    (true,) = (true for true in truth(account)["accounts"] if true["name"] == account.account.name)
    return true["payout_destination"], true["payout_address"]


def truth(account: Watched) -> dict[str, list[dict[str, str]]]:
    users = account.hosting.pool.truth()["users"]
    found: dict[str, list[dict[str, str]]] = next(user for user in users if user["login"] == account.hosting.login)
    return found


def agreed(account: Watched) -> list[tuple[str, str | None, str, str]]:
    with account.hosting.context():
        return list(
            PayoutAgreement.objects.filter(mining_account=account.account, source="changed")
            .order_by("pk")
            .values_list("destination", "address", "source", "agreed_by")
        )


# --- Payout destinations


def test_an_approved_change_is_made_once_and_agreed_when_the_pool_says_so(account: Watched) -> None:
    intent = plan_edit(account)
    assert (intent.state, agreed(account)) == (State.PLANNED, [])
    before = at_pool(account)[1]

    done = settle(account, intent)

    assert (done.state, at_pool(account)) == (State.DONE, ("external_address", ADDRESS))
    assert agreed(account) == [("external_address", ADDRESS, "changed", "two@north.example")]
    with account.hosting.context():
        told = {entry.action: entry.details for entry in AuditEntry.objects.filter(subject=intent.code)}
    assert [told[action]["wanted"] for action in ("payout.edit_planned", "intent.done")] == [ADDRESS, ADDRESS]
    assert (told["payout.edit_planned"]["before"], told["intent.done"]["before"]) == (before, before)
    again = plan_edit(account, ADDRESS.upper())  # the same address, and so nothing to do
    assert (settle(account, again).state, settle(account, plan_edit(account, None)).state) == (State.DONE, State.DONE)
    assert at_pool(account)[0] == "main_balance"
    assert account.hosting.pool.calls()["payout-destination/edit"] == 2


def test_a_change_whose_answer_was_lost_is_read_back(account: Watched) -> None:
    for number, fault in enumerate(["reset", "http_504"], start=1):
        account.hosting.pool.fault(fault, endpoint="payout-destination/edit", phase="after", times=1)

        done = settle(account, plan_edit(account, [ADDRESS, OTHER][number - 1]))

        assert (done.state, len(agreed(account))) == (State.DONE, number)
        assert account.hosting.pool.calls()["payout-destination/edit"] == number


def test_a_change_that_never_reached_the_pool_fails_when_that_is_certain(account: Watched) -> None:
    before = at_pool(account)
    account.hosting.pool.fault("reset", endpoint="payout-destination/edit", phase="before", times=1)
    intent = plan_edit(account)
    assert settle(account, intent).state == State.CALLED
    assert settle(account, intent, after=timedelta(seconds=50)).state == State.CALLED

    failed = settle(account, intent, after=SETTLED)

    assert (failed.state, at_pool(account), agreed(account)) == (State.FAILED, before, [])
    assert "stands as before. Nothing was done" in failed.problem
    assert settle(account, plan_edit(account)).state == State.DONE


def test_a_destination_that_somebody_else_changed_meanwhile_needs_a_person(account: Watched) -> None:
    account.hosting.pool.fault("reset", endpoint="payout-destination/edit", phase="before", times=1)
    intent = plan_edit(account)
    settle(account, intent)
    account.hosting.pool.edit(
        "set_payout", login="alpha", account="south", destination="external_address", address=OTHER
    )

    unknown = settle(account, intent, after=SETTLED)

    assert (unknown.state, agreed(account)) == (State.UNKNOWN, [])
    with refused("payout.change_unsettled"):
        plan_edit(account)
    with account.hosting.context():
        intents.decide_intent(account.hosting.access, unknown, ours=True, now=account.now)
    assert settle(account, intent, after=SETTLED).state == State.UNKNOWN  # a look tells no more than before
    with account.hosting.context():
        intents.decide_intent(account.hosting.access, unknown, ours=False, now=account.now)
    (failed,) = account.intents(pk=intent.pk)
    assert (failed.state, failed.problem) == (
        State.FAILED,
        "A person found that the pool had not changed the payout destination.",
    )
    assert settle(account, plan_edit(account)).state == State.DONE


def test_what_cannot_be_paid_to_is_refused_before_anything(account: Watched) -> None:
    for address in ("", ADDRESS[:-1] + "5", "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", f"{ADDRESS} "):
        with refused("payout.address_invalid"):
            plan_edit(account, address)
    with refused("payout.approver_missing"):
        plan_edit(account, approved_by="")
    for destination, named, code in (
        ("main_balance", ADDRESS, "payout.address_superfluous"),
        ("lightning", ADDRESS, "payout.destination_invalid"),
        ("external_address", None, "payout.address_invalid"),
    ):
        with account.hosting.context(), refused(code):
            intents.plan_edit(
                account.hosting.access,
                account.account,
                destination=destination,
                address=named,
                approved_by="two@north.example",
                now=account.now,
            )
    stray = Watched(account.hosting, account.hosting.account("north"), account.now)
    with refused("account.no_customer"):
        plan_edit(stray)
    assert account.intents(kind="edit_payout") == []


@pytest.mark.parametrize("was_read", [False, True])
def test_what_was_never_read_for_its_customer_is_not_changed(north: Hosting, was_read: bool) -> None:
    """Or the change would be the first agreement, and all that was paid before it would be held."""
    account = watched(north)
    if was_read:  # while it had no customer
        north.sync("payouts")
    onboard(north, "north", adopt=True)
    account = Watched(north, north.account("north"), account.now)
    with refused("payout.not_read"):
        plan_edit(account)
    north.sync("payouts")
    assert plan_edit(account).state == State.PLANNED


def test_what_the_pool_refuses_fails_in_a_sentence_of_ours(account: Watched) -> None:
    account.hosting.pool.edit("set_custom_currency", login="alpha", account="south")

    failed = settle(account, plan_edit(account))

    assert (failed.state, failed.problem) == (
        State.FAILED,
        "The pool does not pay this account's currency to an address. Nothing was changed.",
    )


def accept(account: Watched, address: str, *, after: timedelta) -> None:
    """Somebody changes it at the pool, it is read, and a person agrees to it."""
    account.hosting.pool.edit(
        "set_payout", login="alpha", account="south", destination="external_address", address=address
    )
    account.hosting.sync("payouts")
    with account.hosting.context():
        agreements.accept(
            account.hosting.access,
            account.account,
            destination="external_address",
            address=address,
            now=account.now + after,
        )


def test_an_edit_that_waited_while_another_address_was_agreed_to_does_not_go_out(account: Watched) -> None:
    account.hosting.sync("payouts")
    intent = plan_edit(account)
    accept(account, OTHER, after=timedelta(minutes=1))
    with account.hosting.context():  # as if it had come between the two
        PoolIntent.objects.filter(pk=intent.pk).update(state=State.PLANNED, settled_at=None)

    failed = settle(account, intent, after=timedelta(minutes=2))

    assert (failed.state, at_pool(account)[1], agreed(account)) == (State.FAILED, OTHER, [])
    assert failed.problem == ("Another destination was agreed to after this change was approved. Nothing was changed.")
    assert "payout-destination/edit" not in account.hosting.pool.calls()


def test_an_edit_in_doubt_ends_when_a_person_agrees_to_another_address(account: Watched) -> None:
    account.hosting.sync("payouts")
    account.hosting.pool.fault("reset", endpoint="payout-destination/edit", phase="before", times=1)
    intent = plan_edit(account)
    settle(account, intent)
    with refused("payout.being_changed"):
        accept(account, OTHER, after=timedelta(seconds=30))
    assert settle(account, intent, after=timedelta(minutes=2)).state == State.UNKNOWN

    accept(account, OTHER, after=timedelta(minutes=3))

    (ended,) = account.intents(pk=intent.pk)
    assert (ended.state, ended.problem) == (State.FAILED, "A person agreed to another destination instead.")
    with account.hosting.context():
        assert AuditEntry.objects.filter(action="intent.failed", subject=intent.code).count() == 1


def test_an_edit_in_doubt_is_done_when_a_person_agrees_to_what_it_wanted(account: Watched) -> None:
    account.hosting.sync("payouts")
    account.hosting.pool.fault("reset", endpoint="payout-destination/edit", phase="before", times=1)
    intent = plan_edit(account)
    settle(account, intent)
    assert settle(account, intent, after=timedelta(minutes=2)).state == State.UNKNOWN

    accept(account, ADDRESS, after=timedelta(minutes=3))

    (ended,) = account.intents(pk=intent.pk)
    assert (ended.state, ended.problem) == (State.DONE, "")
    with account.hosting.context():
        assert AuditEntry.objects.filter(action="intent.done", subject=intent.code).count() == 1


def test_what_an_old_edit_wanted_is_a_drift_once_another_address_was_agreed_to(account: Watched) -> None:
    account.hosting.sync("payouts")
    account.hosting.pool.fault("reset", endpoint="payout-destination/edit", phase="before", times=1)
    intent = plan_edit(account)
    settle(account, intent)
    settle(account, intent, after=timedelta(minutes=2))
    accept(account, OTHER, after=timedelta(minutes=3))
    with account.hosting.context():  # as if nobody had ended it
        PoolIntent.objects.filter(pk=intent.pk).update(state=State.UNKNOWN, settled_at=None)
    account.hosting.pool.edit(
        "set_payout", login="alpha", account="south", destination="external_address", address=ADDRESS
    )

    later = settle(account, intent, after=timedelta(days=20))

    assert (later.state, agreed(account)) == (State.UNKNOWN, [])
    assert "another destination was agreed to since" in later.problem
    with account.hosting.context():
        PayoutAgreement.objects.get(mining_account=account.account, address=OTHER)


# --- What all have in common


def test_what_could_not_go_out_in_time_does_not_go_out_any_more(account: Watched) -> None:
    account.hosting.pool.fault("key_disabled", endpoint="watcher-links/list", times=1)
    account.hosting.pool.fault("key_disabled", endpoint="payout-destination", times=1)
    before = at_pool(account)
    link = account.made(lifetime="always", forever_confirmed=True)
    edit = plan_edit(account)
    assert settle(account, edit).state == State.PLANNED
    account.hosting.pool.clear_faults()
    with account.hosting.context():
        Credential.objects.update(state="active")

    failed = account.settle(link, after=timedelta(minutes=16))
    planner.plan(account.hosting.provider.pk, now=account.now + timedelta(minutes=16))

    (ended,) = account.intents(pk=edit.pk)
    assert (failed.state, account.at_pool()) == (WatcherLink.State.FAILED, [])
    assert failed.problem.endswith(
        "It could not be asked of the pool within 15 minutes. Nothing was done: ask for it again."
    )
    assert (ended.state, at_pool(account)) == (State.FAILED, before)
    assert settle(account, plan_edit(account)).state == State.DONE


def test_what_waits_to_go_out_can_be_given_up(account: Watched) -> None:
    link = account.issue()
    (intent,) = account.intents(watcher_link=link)

    def decide(*, ours: bool, after: timedelta) -> None:
        with account.hosting.context():
            intents.decide_intent(account.hosting.access, intent, ours=ours, now=account.now + after)

    for ours, seconds in ((False, 59), (True, 61)):
        with refused("intent.in_hand"):
            decide(ours=ours, after=timedelta(seconds=seconds))
    decide(ours=False, after=timedelta(seconds=61))

    given_up = account.settle(link, after=timedelta(seconds=62))
    assert (given_up.state, account.at_pool()) == (WatcherLink.State.FAILED, [])
    assert given_up.problem == "A person gave it up before it was asked of the pool. Nothing was done."


def test_a_lost_answer_is_looked_at_again_within_the_minute(account: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []
    monkeypatch.setattr(dispatch, "_send", lambda task, ids, countdown=0: told.append(round(countdown)))
    account.hosting.pool.fault("reset", endpoint="watcher-links/create", phase="before", times=1)

    account.settle(account.issue())

    assert told[0] == 0  # when it was asked for
    assert [abs(seconds - wanted) <= 2 for seconds, wanted in zip(told[1:], (5, 15, 30, 55, 60), strict=True)] == [
        True
    ] * 5
    assert max(told) <= 60

    told.clear()
    (intent,) = account.intents(kind="create_link")
    intents.settle_intent(account.hosting.provider.pk, intent.pk, now=account.now + LOOKED)
    assert told == [4]  # nothing is there: once more before that is believed


def test_what_needs_a_person_is_looked_at_less_and_less_often_until_it_is_settled(
    account: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool, provider_id, looks = account.hosting.pool, account.hosting.provider.pk, []
    told: list[tuple[str, tuple[int, ...]]] = []
    monkeypatch.setattr(dispatch, "_send", lambda task, ids, countdown=0: told.append((task, ids)))
    pool.fault("reset", endpoint="watcher-links/create", phase="after", times=1)
    pool.fault("captive_page", endpoint="watcher-links/list", skip=1)
    link = account.issue()
    assert account.settle(link).state == WatcherLink.State.CREATING
    told.clear()
    planner.plan(provider_id, now=account.now + timedelta(seconds=61))
    assert account.link(link).state == WatcherLink.State.UNKNOWN  # though no worker has looked
    assert ("mining.tasks.settle_intent", (provider_id, account.intents(watcher_link=link)[0].pk)) in told

    for minute in range(2, 130):
        now = account.now + timedelta(minutes=minute)
        if minute == 121:
            pool.clear_faults()
        with account.hosting.context():
            due = intents.due_for_a_look(provider_id, now=now)
        for intent_id in due:
            looks.append(minute)
            intents.settle_intent(provider_id, intent_id, now=now)

    assert looks == [2, 4, 8, 16, 32, 64, 124]
    assert (account.link(link).state, len(account.at_pool())) == (WatcherLink.State.ACTIVE, 1)


def test_two_workers_with_the_same_intent_make_one_call(account: Watched) -> None:
    asked = account.issue()
    (intent,) = account.intents(watcher_link=asked)

    def work() -> None:
        intents.settle_intent(account.hosting.provider.pk, intent.pk, now=account.now)

    ended(*[in_thread(work) for _ in range(4)])

    assert account.hosting.pool.calls()["watcher-links/create"] == 1
    assert (account.link(asked).state, len(account.at_pool())) == (WatcherLink.State.ACTIVE, 1)


def test_a_call_that_surely_did_nothing_is_made_later(account: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "CALL_DEADLINE_SECONDS", 0.3)
    account.hosting.pool.fault("rate_limited", endpoint="watcher-links/create", phase="before")
    asked = account.issue()

    held = account.settle(asked)
    (intent,) = account.intents(watcher_link=asked)
    assert (held.state, intent.state, intent.attempts) == (WatcherLink.State.CREATING, State.PLANNED, 0)
    assert held.problem == intent.problem != ""  # pages and the API show the link

    account.hosting.pool.clear_faults()
    monkeypatch.undo()
    assert (account.settle(asked).state, len(account.at_pool())) == (WatcherLink.State.ACTIVE, 1)


def test_a_call_that_surely_did_nothing_takes_its_link_back_from_people(account: Watched) -> None:
    link = account.issue()
    (intent,) = account.intents(watcher_link=link)
    with account.hosting.context():
        intent = PoolIntent.objects.select_related("provider").get(pk=intent.pk)
        PoolIntent.objects.update(state=State.CALLED, called_at=account.now, attempts=1)
        intent.attempts = 1
        lifecycle.finish(intent, State.UNKNOWN, "Nobody knows.", now=account.now)
    assert account.link(link).state == WatcherLink.State.UNKNOWN

    lifecycle.uncall(intent)

    assert account.intents(pk=intent.pk)[0].state == State.PLANNED
    assert (account.link(link).state, account.link(link).problem) == (WatcherLink.State.CREATING, "")


def test_an_account_that_the_pool_does_not_answer_for_fails_at_once(account: Watched) -> None:
    account.hosting.pool.edit("disable_account", login="alpha", account="south")

    failed = account.settle(account.issue())

    assert (failed.state, "Nothing was done." in failed.problem) == (WatcherLink.State.FAILED, True)


def test_a_key_that_is_gone_leaves_an_unsettled_call_to_a_person(account: Watched) -> None:
    account.hosting.pool.fault("reset", endpoint="watcher-links/create", phase="after", times=1)
    account.hosting.pool.fault("key_disabled", endpoint="watcher-links/list", skip=1)
    asked = account.made()
    assert asked.state == WatcherLink.State.CREATING

    assert account.settle(asked, after=timedelta(seconds=61)).state == WatcherLink.State.UNKNOWN
    with account.hosting.context():
        (intent,) = PoolIntent.objects.filter(watcher_link=asked)
        intents.decide_intent(account.hosting.access, intent, ours=False, now=timezone.now())
    assert account.link(asked).state == WatcherLink.State.FAILED


def test_a_hint_for_what_is_settled_or_gone_does_nothing(account: Watched) -> None:
    link = account.made()
    before = account.hosting.pool.calls()
    tasks.settle_intent(account.hosting.provider.pk, account.intents(watcher_link=link)[0].pk)
    tasks.settle_intent(account.hosting.provider.pk, 999_999)
    assert account.hosting.pool.calls() == before
    with account.hosting.context():
        assert MiningAccount.objects.filter(state="creating").count() == 0
