"""Contracts: shares are exact, and terms change from a day on."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from billing import contracts
from billing.issue import issue
from billing.models import Contract, ContractComponent, ContractVersion, TermsNotice
from billing.settlement import close_period
from customers import tenancy
from customers.models import Customer
from portal.forms.staff import TermsForm
from tests.portal.staff.reading import heading, rows, text
from tests.world import FIRST_DAY, NOW, Tenant, World, make_reward

pytestmark = pytest.mark.django_db

LIST, NEW = "/staff/contracts/", "/staff/contracts/new/"


@pytest.fixture
def cedar(north: Tenant) -> Customer:
    """A customer without a contract."""
    with tenancy.access_context(north.system):
        return Customer.objects.create(provider=north.provider, name="Cedar", email="c@c.example", created_at=NOW)


def terms(north: Tenant, **fields: str) -> dict[str, Any]:
    given = {"share": "12.3456", "basis": "net", "valid_from": "2026-11-01"}
    return north.finance.form(**(given | fields))


def agreed(north: Tenant, customer: Customer) -> list[tuple[str, int, str, str]]:
    found = rows(north, ContractComponent, customer=customer)
    with tenancy.access_context(north.system):
        return [(str(c.version.valid.lower), c.share_ppm, c.basis, c.pool_fee_borne_by) for c in found]


def test_the_list_says_the_terms_of_today_and_who_has_none(north: Tenant, cedar: Customer) -> None:
    words = text(north.auditor.browser().get(LIST))
    assert "2 contracts 1 customer without" in words
    assert "Without terms: Cedar" in words
    assert "Alder & Finch Customer 85 %, provider 15 % of the net reward" in words
    assert "New contract" not in words
    assert "New contract" in text(north.finance.browser().get(LIST))
    assert "No contract is found." in text(north.finance.browser().get(LIST, {"q": "nobody"}))


@pytest.mark.parametrize(
    ("fields", "ppm", "basis", "borne_by"),
    [
        ({}, 123_456, "net", "shared"),
        ({"share": "0", "nothing_for_us": "on"}, 0, "net", "shared"),
        ({"share": "100", "nothing_for_customer": "on"}, 1_000_000, "net", "shared"),
        ({"share": "0.0001"}, 1, "net", "shared"),
        ({"share": "12,5"}, 125_000, "net", "shared"),
        ({"share": "12.5 %", "valid_from": "1.11.2026"}, 125_000, "net", "shared"),
        ({"share": "12,5%", "valid_from": "1 Nov 2026"}, 125_000, "net", "shared"),
        ({"share": "33.3333", "basis": "gross_customer"}, 333_333, "gross", "customer"),
        ({"share": "29", "basis": "gross_provider"}, 290_000, "gross", "provider"),
    ],
)
def test_a_share_in_per_cent_becomes_exact_parts_per_million(
    north: Tenant, cedar: Customer, fields: dict[str, str], ppm: int, basis: str, borne_by: str
) -> None:
    answer = north.finance.browser().post(NEW, terms(north, customer=cedar.code, **fields), follow=True)
    assert "The contract with Cedar holds." in text(answer)
    assert agreed(north, cedar) == [("2026-11-01", ppm, basis, borne_by)]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"share": "12.34567"}, "A share has four decimals at most."),
        ({"share": "100.0001"}, "A share is at most 100 per cent."),
        ({"share": "-1"}, "A share is at least 0 per cent."),
        ({"share": "1,234.5"}, "Write the share as a number"),
        ({"share": "9" * 5_000}, "A share is at most 100 per cent."),
        ({"share": "100"}, "With a share of 100 per cent the customer gets nothing: is that meant?"),
        ({"share": "0.0000"}, "With a share of 0 per cent we get nothing: is that meant?"),
        ({"share": "0", "nothing_for_customer": "on"}, "we get nothing: is that meant?"),
        ({"share": ""}, "This field is required."),
        ({"basis": "gross"}, "Select a valid choice."),
        ({"valid_from": "1/11/2026"}, "Write the day as 2026-10-01."),
        ({"customer": "cus_x"}, "This customer has a contract already, or does not exist."),
    ],
)
def test_bad_terms_are_told_in_a_sentence_and_change_nothing(
    north: Tenant, cedar: Customer, fields: dict[str, str], says: str
) -> None:
    answer = north.finance.browser().post(NEW, terms(north, **({"customer": cedar.code} | fields)))
    assert says in text(answer)
    assert agreed(north, cedar) == []


@pytest.mark.parametrize(
    "share",
    ["NaN", "Infinity", "1e2", "1E-2", "+5", "1_0", "\u0663", "\uff11", "1 0", ".5", "5.", "0x1", "\t5\x0b6"],
)
def test_a_share_is_written_in_plain_digits(share: str) -> None:
    with pytest.raises(ValidationError, match=r"Write the share as a number, such as 15 or 12\.5\."):
        TermsForm.base_fields["share"].clean(share)


@pytest.mark.parametrize(
    "day", ["10/11/2026", "Nov 1 2026", "\u0662\u0660\u0662\u0666-11-01", "2026-1-1", "2026-11-31"]
)
def test_a_day_is_written_one_way(day: str) -> None:
    with pytest.raises(ValidationError, match=r"Write the day as 2026-10-01\."):
        TermsForm.base_fields["valid_from"].clean(day)


def test_agreeing_twice_makes_one_contract(north: Tenant, cedar: Customer) -> None:
    browser = north.finance.browser()
    for _ in range(2):
        answer = browser.post(NEW, terms(north, customer=cedar.code))
    assert "This customer has a contract already" in text(answer) or answer.status_code == 200
    assert len(rows(north, Contract, customer=cedar)) == 1


def test_the_neighbours_customer_cannot_be_chosen(world: World) -> None:
    with tenancy.access_context(world.south.system):
        other = Customer.objects.create(
            provider=world.south.provider, name="Cedar", email="c@c.example", created_at=NOW
        )
        mine = None
    with tenancy.access_context(world.north.system):
        mine = Customer.objects.create(provider=world.north.provider, name="Maple", email="m@m.example", created_at=NOW)
    browser = world.north.finance.browser()
    assert other.code not in browser.get(NEW).content.decode()
    assert "does not exist" in text(browser.post(NEW, terms(world.north, customer=other.code)))
    assert agreed(world.north, mine) == []
    assert rows(world.south, Contract, customer=other) == []


def address(north: Tenant) -> str:
    return reverse("staff:contract_version_new", args=[north.clients[0].contract.code])


def agree(north: Tenant, **fields: str) -> Any:
    """As a person does: the form, the page that says the effect, its button."""
    browser = north.finance.browser()
    page = browser.get(address(north), terms(north, **fields))
    hidden = dict(re.findall(r'<input type="hidden"\s+name="([^"]+)"\s+value="([^"]*)"', page.content.decode()))
    return browser.post(address(north), hidden, follow=True)


def test_new_terms_end_the_former_ones_the_day_before(north: Tenant) -> None:
    client = north.clients[0]
    answer = agree(north)
    assert heading(answer) == "Contract with Alder & Finch"
    assert "New terms from 1 November 2026 on. The customer is told by mail." in text(answer)
    versions = rows(north, ContractVersion, contract=client.contract)
    assert [(v.valid.lower, v.valid.upper) for v in versions] == [
        (FIRST_DAY, date(2026, 11, 1)),
        (date(2026, 11, 1), None),
    ]
    again = agree(north, share="13")
    assert "1 version withdrawn before anything was billed by it" in text(again)
    assert "<del>From" in again.content.decode()
    assert len(rows(north, ContractVersion, contract=client.contract, withdrawn_at=None)) == 2


def test_the_form_is_filled_in_from_the_terms_in_force(north: Tenant) -> None:
    client = north.clients[0]
    with tenancy.access_context(north.system):
        client.version.components.update(share_ppm=123_400, basis="gross", pool_fee_borne_by="provider")
        ContractVersion.objects.filter(pk=client.version.pk).update(minimum_sat=5_000)
    form = north.finance.browser().get(reverse("staff:contract", args=[client.contract.code])).context["form"]
    assert form.initial == {
        "share": "12.34",
        "basis": "gross_provider",
        "minimum": 5_000,
        "valid_from": date(2026, 12, 1),
    }


def test_the_effect_is_said_before_anybody_agrees(north: Tenant) -> None:
    """Three rewards of 97,500 after the fee, of which the customer has 85 %; planned terms go."""
    client = north.clients[0]
    with tenancy.access_context(north.system):
        contracts.new_version(
            north.system,
            client.contract,
            valid_from=date(2027, 1, 1),
            settle_in="btc",
            components=[{"kind": "revenue_share", "share_ppm": 210_000, "basis": "net"}],
            now=NOW,
        )
    page = north.finance.browser().get(address(north), terms(north, share="19", valid_from="2026-10-02"))
    words = text(page)
    assert heading(page) == "1 term changes from 2 October 2026"
    assert "reach back over 2 days already mined: −7,800 satoshi for Alder & Finch" in words
    assert "Our share 15 % 19 %" in words
    assert "Of what the net reward, after the pool's fee the net reward, after the pool's fee" in words
    assert "Also withdraws the terms planned from 1 January 2027 : Customer 79 %, provider 21 %" in words
    assert "2 Oct 2026 97,500 82,875 78,975 −3,900" in words
    assert "2 days 165,750 157,950 −7,800" in words
    assert "You gave a code of your second factor just now." in words
    assert len(rows(north, ContractVersion, contract=client.contract, withdrawn_at=None)) == 2


def test_terms_of_days_to_come_change_no_day_that_is_over(north: Tenant) -> None:
    page = north.finance.browser().get(address(north), terms(north, valid_from="2026-11-04"))
    assert "Nothing is agreed yet. No day that is over changes." in text(page)
    assert "second factor" not in text(page)
    assert rows(north, TermsNotice) == []


def test_what_changed_since_it_was_looked_at_is_looked_at_again(north: Tenant) -> None:
    browser = north.finance.browser()
    seen_as = browser.get(address(north), terms(north, valid_from="2026-10-02")).context["effect"].seen_as
    with tenancy.access_context(north.system):
        make_reward(north.clients[0].account, date(2026, 10, 9))
    answer = browser.post(address(north), terms(north, valid_from="2026-10-02", seen_as=seen_as))
    assert "What these terms change is not what you looked at any more." in answer.content.decode()
    assert "9 Oct 2026" in text(answer)
    assert len(rows(north, ContractVersion, contract=north.clients[0].contract)) == 1


def test_days_that_terms_reached_back_over_are_marked_for_the_customer_and_staff(north: Tenant) -> None:
    client = north.clients[0]
    agree(north, share="19", valid_from="2026-10-02")
    marked = "Terms changed on 4 Nov 2026 , after this day"
    words = text(client.owner.browser().get("/rewards/?month=2026-10"))
    assert words.count(marked) == 2
    assert "0.00078975 was 0.00082875" in words
    words = text(north.auditor.browser().get("/staff/rewards/"))
    assert words.count("the terms changed after this day") == 2
    assert "0.00078975 was 0.00082875" in words


def test_terms_cannot_reach_into_what_is_billed(north: Tenant) -> None:
    with tenancy.access_context(north.system):
        for draft in close_period(north.system, month=FIRST_DAY, now=NOW):
            issue(north.system, draft, now=NOW)
    answer = north.finance.browser().get(address(north), terms(north, valid_from="2026-10-02"))
    assert "are billed with the terms of then in issued documents" in text(answer)
    assert 'value="12.3456"' in answer.content.decode()
    assert len(rows(north, ContractVersion, contract=north.clients[0].contract)) == 1


def test_support_reads_terms_and_gets_no_form(north: Tenant) -> None:
    page = north.support.browser().get(reverse("staff:contract", args=[north.clients[0].contract.code]))
    assert "Look at the effect" not in text(page)
    assert north.support.browser().post(address(north), terms(north)).status_code == 403


def test_the_neighbours_contract_does_not_exist(world: World) -> None:
    code = world.south.clients[0].contract.code
    browser = world.north.finance.browser()
    assert browser.get(reverse("staff:contract", args=[code])).status_code == 404
    assert browser.post(reverse("staff:contract_version_new", args=[code]), terms(world.north)).status_code == 404
