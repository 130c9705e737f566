"""The list of accounts, and giving one to a new customer: exactly one account at the pool, whatever happens."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from customers.models import AuditEntry, Customer
from mining import accounts, intents
from mining.errors import name_taken
from mining.intents.lifecycle import STILL_UNKNOWN
from mining.models import MiningAccount, PoolIntent, PoolLogin, SyncRun
from tests.logins import login_of
from tests.mining.hosting import DAY, Hosting, set_up, writes, written_between
from tests.refusals import refused
from tests.sandbox import Sandbox

State, IntentState = MiningAccount.State, PoolIntent.State


def onboard(hosting: Hosting, account_name: str, *, adopt: bool = False, login: PoolLogin | None = None) -> Customer:
    hosting.pool.clear_log()  # the key's verification asked every endpoint once: calls are counted from here
    with hosting.context():
        return accounts.onboard_customer(
            hosting.access,
            name="Alder & Finch",
            email="Office@Alder.example",
            account_name=account_name,
            adopt=adopt,
            login=login,
            now=timezone.now(),
        )


def settle(hosting: Hosting, customer: Customer, *, later: timedelta = timedelta()) -> PoolIntent:
    """What the worker does with the customer's newest intent: now, or so long after its call."""
    with hosting.context():
        intent = PoolIntent.objects.filter(customer=customer).latest("pk")
    now = intent.called_at + later if later and intent.called_at else timezone.now() + later
    intents.settle_intent(hosting.provider.pk, intent.pk, now=now)
    with hosting.context():
        return PoolIntent.objects.get(pk=intent.pk)


def names_at_pool(hosting: Hosting) -> list[str]:
    user = next(user for user in hosting.pool.truth()["users"] if user["login"] == hosting.login)
    return sorted(account["name"] for account in user["accounts"])


def account_of(hosting: Hosting, customer: Customer) -> MiningAccount | None:
    with hosting.context():
        return MiningAccount.objects.filter(customer=customer).first()


# --- The list


def test_accounts_of_the_pool_are_stored_without_a_customer(north: Hosting) -> None:
    run = north.sync("accounts")

    assert (run.state, run.rows_new, run.calls) == (SyncRun.State.OK, 3, 1)
    account = north.account("alpha_east")
    assert (account.state, account.customer, account.created_at_pool is not None) == (State.ACTIVE, None, True)


def test_reading_the_list_again_writes_nothing(north: Hosting) -> None:
    north.sync("accounts")
    before = writes()

    north.sync("accounts")

    assert set(written_between(before, writes())) == {"mining_syncrun"}


def test_many_accounts_are_listed_to_the_end(whitepool: Sandbox) -> None:
    whitepool.reset(world="large", history_days=1)

    run = set_up(whitepool, slug="colossus", login="colossus").sync("accounts")

    assert (run.state, run.rows_new, run.calls) == (SyncRun.State.OK, 1_000, 11)


def test_a_vanished_account_turns_unknown_and_comes_back(north: Hosting) -> None:
    north.sync("accounts")
    north.pool.edit("remove_account", login="alpha", account="south")

    gone = north.sync("accounts")
    assert (gone.state, gone.rows_changed, north.account("south").state) == (SyncRun.State.OK, 1, State.UNKNOWN)

    north.pool.edit("add_account", login="alpha", account="south")
    north.sync("accounts")
    assert north.account("south").state == State.ACTIVE


def test_an_account_that_one_list_lacks_is_asked_for_again_before_it_is_taken_for_gone(north: Hosting) -> None:
    north.sync("accounts")
    north.pool.fault("vanishing_record", endpoint="accounts", times=1)

    run = north.sync("accounts")

    assert (run.state, run.calls, run.rows_changed) == (SyncRun.State.OK, 2, 0)
    assert {north.account(name).state for name in ("north", "south")} == {State.ACTIVE}


def test_a_pool_that_ignores_paging_proves_no_account_gone(north: Hosting) -> None:
    for number in range(40):
        north.pool.edit("add_account", login="alpha", account=f"hall_{number}")
    north.sync("accounts")
    north.pool.fault("paging_ignored")

    run = north.sync("accounts")

    assert (run.state, "repeats its list" in run.error) == (SyncRun.State.PARTIAL, True)
    with north.context():
        assert MiningAccount.objects.filter(state=State.ACTIVE).count() == 43


# --- Creating


def test_a_new_account_is_created_at_the_pool(north: Hosting) -> None:
    customer = onboard(north, "alder_1")
    before = account_of(north, customer)
    assert before is not None
    assert (before.state, names_at_pool(north).count("alder_1")) == (State.CREATING, 0)

    intent = settle(north, customer)

    after = account_of(north, customer)
    assert after is not None
    assert (intent.state, intent.attempts, after.state) == (IntentState.DONE, 1, State.ACTIVE)
    assert names_at_pool(north).count("alder_1") == 1
    assert customer.email == "office@alder.example"


def test_its_rewards_belong_to_the_customer(north: Hosting) -> None:
    customer = onboard(north, "alder_1")
    settle(north, customer)
    north.pool.clock(advance_seconds=2 * DAY)

    north.sync()

    assert {row.customer_id for row in north.rewards(mining_account__name="alder_1")} == {customer.pk}


@pytest.mark.parametrize("fault", ["reset", "http_500", "http_504", "reset_mid_body", "truncated_json", "empty_body"])
def test_a_lost_answer_after_the_act_settles_to_exactly_one_account(north: Hosting, fault: str) -> None:
    after = {} if fault in ("reset_mid_body", "truncated_json") else {"phase": "after"}
    north.pool.fault(fault, endpoint="accounts/create", **after)
    north.pool.clock(now=timezone.now())  # by its own clock the pool makes the account after our call
    customer = onboard(north, "alder_1")

    intent = settle(north, customer)

    assert (intent.state, intent.attempts) == (IntentState.DONE, 1)
    assert names_at_pool(north).count("alder_1") == 1
    assert north.pool.calls()["accounts/create"] == 1


def test_a_call_lost_on_its_way_is_not_made_again_and_fails_once_that_is_certain(north: Hosting) -> None:
    north.pool.fault("reset", endpoint="accounts/create", phase="before", times=1)
    customer = onboard(north, "alder_1")

    lost = settle(north, customer)
    too_soon = settle(north, customer, later=timedelta(seconds=50))
    assert (lost.state, too_soon.state, too_soon.attempts) == (IntentState.CALLED, IntentState.CALLED, 1)
    assert "answer was lost" in too_soon.problem

    north.pool.fault("empty_listing", endpoint="accounts", times=1)
    looked = settle(north, customer, later=timedelta(seconds=56))
    assert looked.state == IntentState.CALLED  # one look may be the pool's mistake
    failed = settle(north, customer, later=timedelta(seconds=59.6))
    assert (failed.state, failed.problem) == (
        IntentState.FAILED,
        "The pool's answer was lost, but it has made no account 'alder_1'. Nothing was done: ask for it again.",
    )
    assert (north.pool.calls()["accounts/create"], account_of(north, customer)) == (1, None)

    with north.context():
        accounts.assign_account(north.access, customer, account_name="alder_1", adopt=False, now=timezone.now())
    assert settle(north, customer).state == IntentState.DONE
    assert names_at_pool(north).count("alder_1") == 1


def test_what_cannot_be_settled_in_a_minute_needs_a_person_and_is_looked_at_all_the_same(north: Hosting) -> None:
    customer = lost_and_silent(north)
    north.pool.clear_faults()

    done = settle(north, customer, later=timedelta(hours=1))

    account = account_of(north, customer)
    assert account is not None
    assert (done.state, account.state, north.pool.calls()["accounts/create"]) == (IntentState.DONE, State.ACTIVE, 1)


def lost_and_silent(north: Hosting) -> Customer:
    """The account was made and nobody could be told, for a minute."""
    north.pool.clock(now=timezone.now())
    north.pool.fault("reset", endpoint="accounts/create", phase="after")
    north.pool.fault("captive_page", endpoint="accounts", skip=1)  # the look before the call is answered
    customer = onboard(north, "alder_1")
    settle(north, customer)
    intent = settle(north, customer, later=timedelta(seconds=61))
    assert (intent.state, intent.problem) == (IntentState.UNKNOWN, STILL_UNKNOWN)
    return customer


def test_a_person_decides_what_stays_unknown(north: Hosting) -> None:
    for ours, state in ((False, IntentState.FAILED), (True, IntentState.PLANNED)):
        customer = lost_and_silent(north)
        with north.context():
            intent = PoolIntent.objects.get(customer=customer)
            intents.decide_intent(north.access, intent, ours=ours, now=timezone.now())
            intent.refresh_from_db()
            with refused("intent.in_hand" if ours else "intent.settled"):
                intents.decide_intent(north.access, intent, ours=ours, now=timezone.now())
        assert (intent.state, account_of(north, customer) is None) == (state, not ours)
        north.pool.edit("remove_account", login="alpha", account="alder_1") if not ours else None
        north.pool.clear_faults()
    assert settle(north, customer).state == IntentState.DONE


@pytest.mark.parametrize("called", [True, False])
def test_what_a_person_has_found_is_taken_over_however_late_that_is(north: Hosting, called: bool) -> None:
    customer = lost_and_silent(north)
    with north.context():
        intent = PoolIntent.objects.get(customer=customer)
        if not called:  # one that never went out, of which rewards tell that the account is there
            PoolIntent.objects.filter(pk=intent.pk).update(called_at=None)
        intents.decide_intent(north.access, intent, ours=True, now=timezone.now())
    north.pool.clear_faults()

    assert settle(north, customer, later=timedelta(hours=2)).state == IntentState.DONE


def test_an_account_that_the_list_had_not_shown_yet_is_somebody_elses(north: Hosting) -> None:
    north.pool.clock(now=timezone.now() - timedelta(seconds=20))
    north.pool.edit("add_account", login="alpha", account="alder_1")
    north.pool.clock(now=timezone.now())
    north.pool.fault("lagging_list", endpoint="accounts", seconds=30)  # the name looks free
    north.pool.fault("reset", endpoint="accounts/create", phase="after")  # "taken" is lost
    customer = onboard(north, "alder_1")
    settle(north, customer)
    north.pool.clear_faults()

    intent = settle(north, customer, later=timedelta(seconds=30))

    account = account_of(north, customer)
    assert account is not None
    assert (intent.state, account.state) == (IntentState.UNKNOWN, State.CREATING)
    assert "was not made when we asked for it" in intent.problem


def test_an_account_that_somebody_makes_after_a_lost_call_is_not_ours(north: Hosting) -> None:
    called_at = timezone.now()
    north.pool.clock(now=called_at)
    north.pool.fault("reset", endpoint="accounts/create", phase="before", times=1)
    customer = onboard(north, "alder_1")
    settle(north, customer)
    north.pool.clock(now=called_at + timedelta(seconds=40))
    north.pool.edit("add_account", login="alpha", account="alder_1")

    intent = settle(north, customer, later=timedelta(seconds=45))

    account = account_of(north, customer)
    assert account is not None
    assert (intent.state, account.state) == (IntentState.UNKNOWN, State.CREATING)
    assert "was not made when we asked for it" in intent.problem


def test_a_worker_killed_after_the_call_is_followed_by_one_that_looks(north: Hosting) -> None:
    customer = onboard(north, "alder_1")
    with north.context():
        PoolIntent.objects.update(state=IntentState.CALLED, attempts=1, called_at=timezone.now())
    north.pool.clock(now=timezone.now())
    north.pool.edit("add_account", login="alpha", account="alder_1")  # the call had arrived

    assert settle(north, customer).state == IntentState.DONE
    assert "accounts/create" not in north.pool.calls()


def test_a_dead_pool_leaves_the_intent_planned(north: Hosting) -> None:
    north.pool.fault("http_503")
    customer = onboard(north, "alder_1")

    intent = settle(north, customer)
    assert (intent.state, intent.attempts, bool(intent.problem)) == (IntentState.PLANNED, 0, True)

    north.pool.clear_faults()
    assert settle(north, customer).state == IntentState.DONE


def test_a_name_taken_behind_our_back_is_never_adopted(north: Hosting) -> None:
    north.pool.edit("add_account", login="alpha", account="alder_1")  # not read yet
    customer = onboard(north, "alder_1")

    intent = settle(north, customer)

    assert (intent.state, account_of(north, customer)) == (IntentState.FAILED, None)
    assert intent.problem == str(name_taken("alder_1", "main"))
    # The list does not give it to the customer either, and the customer is free for another name.
    north.sync("accounts")
    assert north.account("alder_1").customer is None
    with north.context():
        accounts.assign_account(north.access, customer, account_name="alder_2", adopt=False, now=timezone.now())
    assert settle(north, customer).state == IntentState.DONE


def test_the_list_leaves_an_account_that_is_being_created_to_its_intent(north: Hosting) -> None:
    north.sync("accounts")
    customer = onboard(north, "alder_1")
    not_listed = north.sync("accounts")
    north.pool.edit("add_account", login="alpha", account="alder_1")
    north.sync_all()

    account = account_of(north, customer)

    assert account is not None
    assert (account.state, account.unlisted_since, not_listed.rows_changed) == (State.CREATING, None, 0)
    assert north.rewards(mining_account=account) == []


def test_the_pools_cap_is_told_in_one_sentence(north: Hosting) -> None:
    north.pool.edit("set_account_cap", login="alpha", cap=3)
    customer = onboard(north, "alder_1")

    intent = settle(north, customer)

    assert (intent.state, intent.problem) == (
        IntentState.FAILED,
        "The login 'main' has as many accounts as the pool allows.",
    )


# --- Adopting


def test_a_listed_account_is_taken_over_at_once_with_its_rewards(north: Hosting) -> None:
    north.sync_all()

    customer = onboard(north, "south", adopt=True)

    assert north.account("south").customer_id == customer.pk
    assert {row.customer_id for row in north.rewards(mining_account__name="south")} == {customer.pk}
    with north.context():
        assert not PoolIntent.objects.exists()
        assert AuditEntry.objects.filter(action="account.adopt_account").count() == 1


def test_an_account_that_was_not_read_yet_is_looked_up(north: Hosting) -> None:
    customer = onboard(north, "south", adopt=True)

    intent = settle(north, customer)

    account = north.account("south")
    assert (intent.state, account.state, account.customer_id) == (IntentState.DONE, State.ACTIVE, customer.pk)
    north.sync_all()
    assert north.told() == north.truth()


def test_what_does_not_exist_is_not_taken_over(north: Hosting) -> None:
    customer = onboard(north, "South", adopt=True)  # names know capitals

    intent = settle(north, customer)

    assert intent.problem == "There is no account 'South' at 'main'. Check the name: capitals count."
    assert account_of(north, customer) is None


def test_one_empty_list_takes_no_account_from_a_customer(north: Hosting) -> None:
    customer = onboard(north, "south", adopt=True)
    north.pool.fault("empty_listing", endpoint="accounts", times=1)

    assert settle(north, customer).state == IntentState.DONE


def test_one_empty_list_proves_nothing_against_what_a_person_has_found(north: Hosting) -> None:
    customer = lost_and_silent(north)
    with north.context():
        intent = PoolIntent.objects.get(customer=customer)
        intents.decide_intent(north.access, intent, ours=True, now=timezone.now())
    north.pool.clear_faults()
    north.pool.fault("empty_listing", endpoint="accounts", times=1)

    assert settle(north, customer).state == IntentState.DONE
    account = account_of(north, customer)
    assert account is not None
    assert account.state == State.ACTIVE


def test_rewards_wait_for_an_account_that_is_being_taken_over(north: Hosting) -> None:
    customer = onboard(north, "south", adopt=True)
    north.sync("accounts")

    north.sync()
    before = north.rewards(mining_account__name="south")
    settle(north, customer)
    north.sync()

    assert before == []
    assert north.told() == north.truth()  # from its first day on, though its login was read in full before


# --- What is refused at once


@pytest.mark.parametrize(
    ("name", "adopt", "code"),
    [
        ("", False, "account.name_invalid"),
        ("with space", False, "account.name_invalid"),
        ("naïve", True, "account.name_invalid"),
        ("n" * 256, False, "account.name_invalid"),
        ("south", False, "account.name_taken"),
    ],
)
def test_a_name_that_cannot_be_is_refused_before_anything(north: Hosting, name: str, adopt: bool, code: str) -> None:
    north.sync("accounts")

    with refused(code):
        onboard(north, name, adopt=adopt)
    with north.context():
        assert not Customer.objects.exists()


def test_an_account_of_another_customer_is_refused(north: Hosting) -> None:
    north.sync("accounts")
    onboard(north, "south", adopt=True)

    with refused("account.has_customer"):
        onboard(north, "south", adopt=True)


def test_the_login_must_be_named_only_when_there_are_several(north: Hosting) -> None:
    other = Hosting(north.pool, north.access, "beta", "second")
    second = other.verify(other.paste()).login
    with north.context():
        third = login_of(north.provider, "third")

    with refused("login.ambiguous"):
        onboard(north, "alder_1")
    with refused("key.missing"):
        onboard(north, "alder_1", login=third)
    assert settle(north, onboard(north, "alder_1", login=second)).state == IntentState.DONE
    assert "alder_1" in names_at_pool(other)
