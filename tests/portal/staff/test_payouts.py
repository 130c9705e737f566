"""Where a customer's rewards go: agreed, at the pool, and what a person may accept, with the second factor fresh."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from allauth.account.internal.flows.login import record_authentication
from django.test import Client

from billing.models import RewardApproval
from billing.settlement import close_period
from customers import tenancy
from customers.models import AuditEntry
from mining.models import MiningAccount, PayoutAgreement, PoolIntent, Reward, SyncRun
from tests.portal.staff.reading import heading, rows, text
from tests.world import FIRST_DAY, NOW, Person, Tenant, World

pytestmark = pytest.mark.django_db

ASKED = "/account/2fa/reauthenticate/?next="
THEIRS = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
OTHER = "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"


def proved(who: Person, *, method: str = "mfa", age: timedelta = timedelta(0), again: bool = True) -> Client:
    """A browser whose person gave the second factor once more, so long ago."""
    browser = who.browser(fresh=False)
    request: Any = SimpleNamespace(session=browser.session)
    record_authentication(request, who.user, method, reauthenticated=again)
    request.session["account_authentication_methods"][-1]["at"] -= age.total_seconds()
    request.session.save()
    return browser


def agree(tenant: Tenant, index: int, destination: str, address: str | None = None, *, days_ago: int = 30) -> None:
    client = tenant.clients[index]
    with tenancy.access_context(tenant.system):
        PayoutAgreement.objects.create(
            provider=tenant.provider, mining_account=client.account, customer=client.customer, source="found",
            destination=destination, address=address, agreed_by="worker", agreed_at=NOW - timedelta(days=days_ago),
        )  # fmt: skip


def drift(tenant: Tenant, destination: str = "external_address", address: str | None = OTHER) -> None:
    """Alder was agreed to be paid by us; the pool says otherwise since yesterday."""
    agree(tenant, 0, "main_balance")
    with tenancy.access_context(tenant.system):
        MiningAccount.objects.filter(pk=tenant.clients[0].account.pk).update(
            payout_destination=destination,
            payout_address=address,
            payout_drift_since=NOW - timedelta(days=1),
            payout_first_seen_at=NOW - timedelta(hours=2),
        )


def page_of(tenant: Tenant, index: int = 0) -> str:
    return f"/staff/customers/{tenant.clients[index].customer.code}/"


def accept(tenant: Tenant, browser: Client, who: Person, address: str = OTHER) -> Any:
    form = who.form(destination="external_address", address=address)
    return browser.post(f"{page_of(tenant)}payout/accept/", form, follow=True)


# --- On the customer's page


def test_what_is_as_agreed_is_told_quietly_with_the_whole_address(north: Tenant) -> None:
    agree(north, 1, "external_address", THEIRS)
    with tenancy.access_context(north.system):
        MiningAccount.objects.filter(pk=north.clients[1].account.pk).update(payout_address=THEIRS)
    answer = north.auditor.browser().get(page_of(north, 1))
    words = text(answer)
    assert "Agreed External address on 5 Oct 2026 , as it stood at the pool" in words
    assert "The pool pays External address" in words
    assert THEIRS in words.replace(" ", "")
    assert "elsewhere" not in words


def test_what_was_never_read_is_unknown_and_no_balance(north: Tenant) -> None:
    with tenancy.access_context(north.system):
        MiningAccount.objects.filter(pk=north.clients[0].account.pk).update(
            payout_destination=None, payout_read_at=None
        )
    words = text(north.owner.browser().get(page_of(north)))
    assert "Payout never read Agreed nothing yet the first reading of the pool counts The pool pays unknown" in words
    assert "balance" not in words


def test_a_drift_says_both_since_when_what_is_held_and_what_to_do(north: Tenant) -> None:
    drift(north)
    words = text(north.finance.browser().get(page_of(north)))
    assert "The pool pays elsewhere than was agreed since 3 Nov 2026, 14:32 UTC" in words
    assert "Agreed on 5 Oct 2026 Main balance At the pool, read just now External address" in words
    assert OTHER in words.replace(" ", "")
    assert "Seen there since 4 Nov 2026, 12:32 UTC" in words
    assert "no document of Alder & Finch is issued and we pay them nothing; the pool goes on paying there." in words
    assert "Ask Alder & Finch Call a number that you already have" in words
    assert "Accept what the pool says…" in words


def test_those_who_may_not_accept_are_told_who_may(north: Tenant) -> None:
    drift(north)
    for who in (north.support, north.auditor):
        words = text(who.browser().get(page_of(north)))
        assert "Accept what the pool says" not in words
        assert "An owner or finance can accept it." in words
        assert who.browser().get(f"{page_of(north)}payout/accept/").status_code == 403


@pytest.mark.parametrize(
    ("destination", "says", "title"),
    [
        (
            "unknown",
            "The pool names a payout destination that we do not know.",
            "Where Alder & Finch is paid is unknown",
        ),
        (
            "external_address",
            "not to which",
            "Alder & Finch is paid by the pool, to an address that it does not name",
        ),
    ],
)
def test_what_nobody_can_agree_to_says_why(north: Tenant, destination: str, says: str, title: str) -> None:
    drift(north, destination, None)
    words = text(north.owner.browser().get(page_of(north)))
    assert says in words
    assert "Accept what the pool says" not in words
    answer = proved(north.owner).get(f"{page_of(north)}payout/accept/")
    assert (heading(answer), says in text(answer)) == (title, True)
    assert "balance" not in text(answer).split("At the pool")[1]


# --- Accepting


def test_the_confirmation_repeats_the_effect_and_the_whole_address(north: Tenant) -> None:
    drift(north)
    answer = proved(north.finance).get(f"{page_of(north)}payout/accept/")
    assert heading(answer) == "Accept this address for Alder & Finch?"
    words = text(answer)
    assert OTHER in words.replace(" ", "")
    assert "The pool sends the rewards of client_0 to this address, and Alder & Finch owes us our share." in words
    assert "Accept this address" in words
    assert "You agree to what the pool said on 4 Nov 2026, 14:32 UTC . Should it pay elsewhere by now" in words


def test_going_back_to_the_main_balance_says_the_other_effect(north: Tenant) -> None:
    drift(north, "main_balance", None)
    answer = proved(north.finance).get(f"{page_of(north)}payout/accept/")
    assert heading(answer) == "Accept the main balance for Alder & Finch?"
    assert "we owe Alder & Finch their share" in text(answer)


def test_accepting_makes_it_agreed_once(north: Tenant) -> None:
    drift(north)
    browser = proved(north.finance)
    answer = accept(north, browser, north.finance)
    assert answer.redirect_chain == [(page_of(north), 302)]
    said = "Agreed to what the pool said on 4 Nov 2026, 14:32 UTC. Closing and paying Alder & Finch goes on. See below"
    assert said in text(answer)
    (again,) = rows(north, SyncRun, subject="payouts", state="queued")
    assert (again.login_id, again.asked) == (north.login.pk, True)
    assert '<a href="#payout">See below</a>' in answer.content.decode()
    assert "by finance@north.example" in text(answer)
    assert "there is nothing to accept" in text(accept(north, browser, north.finance))
    agreed = rows(north, PayoutAgreement)
    assert [(row.destination, row.address, row.source) for row in agreed] == [
        ("main_balance", None, "found"),
        ("external_address", OTHER, "accepted"),
    ]
    assert len(rows(north, AuditEntry, action="payout.accepted")) == 1


@pytest.mark.parametrize("address", [THEIRS, "", OTHER.lower()])
def test_another_address_than_the_pool_says_now_is_refused(north: Tenant, address: str) -> None:
    drift(north)
    assert "The pool says something else by now." in text(accept(north, proved(north.owner), north.owner, address))
    assert len(rows(north, PayoutAgreement)) == 1


@pytest.mark.parametrize(
    "proof",
    [
        {"again": False},  # at sign-in only
        {"method": "password"},
        {"age": timedelta(minutes=16)},
        {"age": timedelta(minutes=-5)},
    ],
)
def test_without_a_fresh_second_factor_nothing_is_accepted(north: Tenant, proof: dict[str, Any]) -> None:
    drift(north)
    browser, address = proved(north.owner, **proof), f"{page_of(north)}payout/accept/"
    to_the_code = f"{ASKED}{address.replace('/', '%2F')}"
    form = north.owner.form(destination="external_address", address=OTHER)
    assert browser.get(address)["Location"] == to_the_code
    assert browser.post(address, form)["Location"].startswith(f"{ASKED}%2Fkept%2F")
    assert len(rows(north, PayoutAgreement)) == 1


def test_anothers_proof_in_the_same_session_is_none(north: Tenant) -> None:
    drift(north)
    browser = proved(north.owner)
    session = browser.session
    session["account_authentication_methods_user"] = str(north.finance.user.pk)
    session.save()
    assert browser.get(f"{page_of(north)}payout/accept/").status_code == 302


def test_the_neighbours_customer_cannot_be_accepted(world: World) -> None:
    drift(world.south)
    browser = proved(world.north.owner)
    assert accept(world.south, browser, world.north.owner).status_code == 404
    assert len(rows(world.south, PayoutAgreement)) == 1


# --- Rewards that were paid where nobody had agreed to


def misdirect(tenant: Tenant, *, closed: bool = True) -> None:
    """One of Alder's rewards of October went to a stranger; October is closed, and nothing drifts."""
    agree(tenant, 0, "main_balance", days_ago=90)
    account = tenant.clients[0].account
    with tenancy.access_context(tenant.system):
        reward = Reward.objects.filter(mining_account=account).order_by("-reward_at")[0]
        Reward.objects.filter(pk=reward.pk).update(payout_destination="external_address", payout_address=OTHER)
        if closed:
            close_period(tenant.system, month=FIRST_DAY, now=NOW)


def release(tenant: Tenant, browser: Client, who: Person, seen_as: str) -> Any:
    return browser.post(f"{page_of(tenant)}payout/misdirected/", who.form(seen_as=seen_as), follow=True)


def test_a_misdirected_reward_is_shown_and_billed_only_once_somebody_let_it_pass(north: Tenant) -> None:
    misdirect(north)
    words = text(north.support.browser().get(page_of(north)))
    assert "A reward was paid where nobody had agreed to 1" in words
    assert OTHER in words.replace(" ", "")
    assert "An owner or finance can approve it." in words
    assert "a reward was paid where nobody had agreed to" in text(north.owner.browser().get("/staff/"))

    browser = proved(north.finance)
    page = browser.get(f"{page_of(north)}payout/misdirected/")
    assert heading(page) == "Bill 1 reward of Alder & Finch all the same?"
    assert OTHER in text(page).replace(" ", "")
    # Only what is so of this one: it went to an address, and a draft bills it.
    assert "owes us our share of it. A draft that bills it says so already: look at it, then issue it." in text(page)
    assert "main balance" not in text(page)
    assert "not what you looked at any more" in text(release(north, browser, north.finance, "other"))
    assert rows(north, RewardApproval) == []

    answer = release(north, browser, north.finance, page.context["seen_as"])
    assert "Approved. It is billed to Alder & Finch like all others." in text(answer)
    assert "nobody had agreed" not in text(answer)
    assert [(row.address, row.approved_by) for row in rows(north, RewardApproval)] == [(OTHER, "finance@north.example")]
    assert "No reward waits that was" in text(release(north, browser, north.finance, page.context["seen_as"]))


def test_a_misdirected_reward_is_marked_before_any_draft_bills_it(north: Tenant) -> None:
    misdirect(north, closed=False)
    for page in ("/staff/rewards/", page_of(north)):
        assert "paid where nobody had agreed to</span>" in north.auditor.browser().get(page).content.decode()
    overview = text(north.owner.browser().get("/staff/"))
    assert f"1 reward was paid to {OTHER}, to which nobody had agreed, for 3 October 2026." in overview

    browser = proved(north.finance)
    asked = browser.get(f"{page_of(north)}payout/misdirected/")
    assert "draft" not in text(asked).split("What happens")[1]
    seen_as = asked.context["seen_as"]
    release(north, browser, north.finance, seen_as)
    for page in ("/staff/rewards/", page_of(north), "/staff/"):
        assert "nobody had agreed" not in text(north.auditor.browser().get(page))


def test_without_a_fresh_second_factor_nothing_passes(north: Tenant) -> None:
    misdirect(north)
    lose(north)
    browser = proved(north.owner, again=False)
    for act in ("misdirected", "end-alarm"):
        address = f"{page_of(north)}payout/{act}/"
        assert browser.get(address)["Location"] == f"{ASKED}{address.replace('/', '%2F')}"
        assert browser.post(address, north.owner.form())["Location"].startswith(f"{ASKED}%2Fkept%2F")
        assert proved(north.support).post(address, north.support.form()).status_code == 403
    assert (rows(north, RewardApproval), rows(north, AuditEntry, action="payout.alarm_ended")) == ([], [])


# --- An account that is gone while it drifts


def lose(tenant: Tenant) -> None:
    with tenancy.access_context(tenant.system):
        MiningAccount.objects.filter(pk=tenant.clients[0].account.pk).update(
            payout_destination="unknown", payout_address=None, payout_drift_since=NOW, unlisted_since=NOW
        )


def test_the_alarm_of_an_account_that_is_gone_is_ended_by_a_person(north: Tenant) -> None:
    drift(north)
    lose(north)
    words = text(north.owner.browser().get(page_of(north)))
    assert "The pool does not answer for client_0 any more, so no reading will end this." in words
    assert "End the alarm…" in words
    assert "Accept what the pool says" not in words

    browser, address = proved(north.owner), f"{page_of(north)}payout/end-alarm/"
    assert heading(browser.get(address)) == "End the alarm about the payout of Alder & Finch?"
    words = text(browser.post(address, north.owner.form(), follow=True))
    assert "The alarm has ended." in words
    assert "elsewhere" not in words
    assert len(rows(north, AuditEntry, action="payout.alarm_ended")) == 1
    assert "There is no alarm to end." in text(browser.post(address, north.owner.form(), follow=True))


def test_the_alarm_of_an_account_that_answers_is_not_ended_so(north: Tenant) -> None:
    drift(north)
    answer = proved(north.owner).post(f"{page_of(north)}payout/end-alarm/", north.owner.form(), follow=True)
    assert "This alarm ends by itself with a reading, or when you accept. It cannot be ended by hand." in text(answer)
    assert "The pool pays elsewhere than was agreed" in text(answer)


def test_a_reading_that_is_older_than_an_hour_is_amber(north: Tenant) -> None:
    for minutes, state in ((59, "is-up"), (61, "is-low")):
        with tenancy.access_context(north.system):
            MiningAccount.objects.filter(pk=north.clients[0].account.pk).update(
                payout_destination="main_balance", payout_read_at=NOW - timedelta(minutes=minutes)
            )
        page = north.owner.browser().get(page_of(north)).content.decode()
        assert f'<span class="age {state}">' in page.split("<h2>Payout</h2>")[1][:200]


# --- A change of ours whose answer was lost


@pytest.mark.parametrize(
    ("ours", "state", "says"),
    [
        ("yes", "unknown", "A person says that the pool did it: it is being looked up."),
        ("no", "failed", "A person found that the pool had not changed the payout destination."),
    ],
)
def test_a_lost_change_is_decided_by_those_who_may_pay(north: Tenant, ours: str, state: str, says: str) -> None:
    client = north.clients[0]
    with tenancy.access_context(north.system):
        intent = PoolIntent.objects.create(
            provider=north.provider, kind="edit_payout", state="unknown", customer=client.customer, login=north.login,
            account_name="client_0", mining_account=client.account, payout_destination="external_address",
            payout_address=THEIRS, created_at=NOW, problem="The answer was lost.",
        )  # fmt: skip
    address = f"/staff/intents/{intent.code}/decide/"
    words = text(north.finance.browser().get(page_of(north)))
    assert "Was the payout destination changed? Outcome unknown The answer was lost. To be External address" in words
    assert THEIRS in words.replace(" ", "")
    assert "give it up" not in text(north.support.browser().get(page_of(north)))
    refused = north.support.browser().post(address, north.support.form(ours=ours), follow=True)
    assert "Your role here (support) may not decide this." in text(refused)
    north.finance.browser().post(address, north.finance.form(ours=ours))
    assert [(row.state, row.problem) for row in rows(north, PoolIntent)] == [(state, says)]
