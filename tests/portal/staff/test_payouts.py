"""Where a customer's rewards go: agreed, at the pool, and what a person may accept, with the second factor fresh."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from allauth.account.internal.flows.login import record_authentication
from django.test import Client

from customers import tenancy
from customers.models import AuditEntry
from mining.models import MiningAccount, PayoutAgreement, PoolIntent
from tests.portal.staff.reading import heading, rows, text
from tests.world import NOW, Person, Tenant, World

pytestmark = pytest.mark.django_db

THEIRS = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
OTHER = "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"


def proved(who: Person, *, method: str = "mfa", age: timedelta = timedelta(0), again: bool = True) -> Client:
    """A browser whose person gave the second factor once more, so long ago."""
    browser = who.browser()
    request: Any = SimpleNamespace(session=browser.session)
    record_authentication(request, who.user, method, reauthenticated=again)
    request.session["account_authentication_methods"][-1]["at"] -= age.total_seconds()
    request.session.save()
    return browser


def agree(tenant: Tenant, index: int, destination: str, address: str | None = None) -> None:
    client = tenant.clients[index]
    with tenancy.access_context(tenant.system):
        PayoutAgreement.objects.create(
            provider=tenant.provider, mining_account=client.account, customer=client.customer, source="found",
            destination=destination, address=address, agreed_by="worker", agreed_at=NOW - timedelta(days=30),
        )  # fmt: skip


def drift(tenant: Tenant, destination: str = "external_address", address: str | None = OTHER) -> None:
    """Alder was agreed to be paid by us; the pool says otherwise since yesterday."""
    agree(tenant, 0, "main_balance")
    with tenancy.access_context(tenant.system):
        MiningAccount.objects.filter(pk=tenant.clients[0].account.pk).update(
            payout_destination=destination, payout_address=address, payout_drift_since=NOW - timedelta(days=1)
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
    assert "Agreed Customer's own address on 5 Oct 2026 , as it stood at the pool" in words
    assert "The pool pays Customer's own address" in words
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
    assert "Agreed on 5 Oct 2026 Provider's balance At the pool, read just now Customer's own address" in words
    assert OTHER in words.replace(" ", "")
    assert "no document of Alder & Finch is issued, and nothing is paid out" in words
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
    ("destination", "address", "says"),
    [
        ("unknown", None, "The pool names a payout destination that we do not know."),
        ("external_address", None, "not to which"),
    ],
)
def test_what_nobody_can_agree_to_says_why(north: Tenant, destination: str, address: str | None, says: str) -> None:
    drift(north, destination, address)
    words = text(north.owner.browser().get(page_of(north)))
    assert says in words
    assert "Accept what the pool says" not in words
    assert says in text(proved(north.owner).get(f"{page_of(north)}payout/accept/"))


# --- Accepting


def test_the_confirmation_repeats_the_effect_and_the_whole_address(north: Tenant) -> None:
    drift(north)
    answer = proved(north.finance).get(f"{page_of(north)}payout/accept/")
    assert heading(answer) == "Alder & Finch is paid by the pool, to this address"
    words = text(answer)
    assert OTHER in words.replace(" ", "")
    assert "The pool sends the rewards of client_0 to this address, and Alder & Finch owes us our share." in words
    assert "Accept this address" in words


def test_going_back_to_our_balance_says_the_other_effect(north: Tenant) -> None:
    drift(north, "main_balance", None)
    answer = proved(north.finance).get(f"{page_of(north)}payout/accept/")
    assert heading(answer) == "Alder & Finch is paid by us, from our balance"
    assert "we owe Alder & Finch their share" in text(answer)


def test_accepting_makes_it_agreed_once(north: Tenant) -> None:
    drift(north)
    browser = proved(north.finance)
    answer = accept(north, browser, north.finance)
    assert answer.redirect_chain == [(f"{page_of(north)}#payout", 302)]
    assert "Agreed. Closing and paying Alder & Finch goes on." in text(answer)
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
    to_the_code = f"/account/2fa/reauthenticate/?next={address.replace('/', '%2F')}"
    form = north.owner.form(destination="external_address", address=OTHER)
    assert browser.get(address)["Location"] == to_the_code
    assert browser.post(address, form)["Location"] == to_the_code
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


# --- A change of ours whose answer was lost


@pytest.mark.parametrize(("ours", "state"), [("yes", "unknown"), ("no", "failed")])
def test_a_lost_change_is_decided_by_those_who_may_pay(north: Tenant, ours: str, state: str) -> None:
    client = north.clients[0]
    with tenancy.access_context(north.system):
        intent = PoolIntent.objects.create(
            provider=north.provider, kind="edit_payout", state="unknown", customer=client.customer, label="main",
            account_name="client_0", mining_account=client.account, payout_destination="external_address",
            payout_address=THEIRS, created_at=NOW, problem="The answer was lost.",
        )  # fmt: skip
    address = f"/staff/intents/{intent.code}/decide/"
    words = text(north.finance.browser().get(page_of(north)))
    assert "Was the payout destination changed? Outcome unknown The answer was lost. To be Customer's own" in words
    assert THEIRS in words.replace(" ", "")
    assert "give it up" not in text(north.support.browser().get(page_of(north)))
    refused = north.support.browser().post(address, north.support.form(ours=ours), follow=True)
    assert "Your role here (support) may not decide this." in text(refused)
    north.finance.browser().post(address, north.finance.form(ours=ours))
    assert [row.state for row in rows(north, PoolIntent)] == [state]
