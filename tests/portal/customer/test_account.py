from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers import tenancy
from customers.models import ProviderProfile, Role
from tests.portal.customer.scenes import OTHER, drift, set_account, statement_of, words
from tests.world import NOW, Tenant, person


def test_the_page_says_who_i_am_what_was_agreed_and_who_else_is_here(north: Tenant) -> None:
    client = north.clients[0]

    text = words(client.viewer.browser().get("/me/").content)

    assert text.startswith("Viewer0 Viewer for Alder & Finch, a customer of Northmere Hosting")
    assert "Customer no. C-0" in text
    assert "Account client_0 The pool pays to Northmere Hosting's main balance Pool's fee 2.50 %" in text
    assert "Customer 85 %, provider 15 % of the net reward, after the pool's fee." in text
    assert "Who can see this 2 people" in text
    assert client.owner.user.email in text


def test_neither_neighbours_nor_staff_are_listed(north: Tenant) -> None:
    html = north.clients[0].owner.browser().get("/me/").content.decode()

    assert north.clients[1].owner.user.email not in html
    assert north.owner.user.email not in html


def test_a_member_whose_access_ended_is_not_listed(north: Tenant) -> None:
    client = north.clients[0]
    with tenancy.access_context(north.system):
        client.viewer.membership.is_active = False
        client.viewer.membership.save()

    assert client.viewer.user.email not in client.owner.browser().get("/me/").content.decode()


def test_it_leads_to_password_and_second_factor(north: Tenant) -> None:
    html = north.clients[0].owner.browser().get("/me/").content.decode()

    assert 'href="/account/password/change/"' in html
    assert 'href="/account/2fa/"' in html


def test_the_support_address_is_the_own_providers(north: Tenant) -> None:
    browser = north.clients[0].owner.browser()
    assert "Help from Northmere Hosting, as in your contract" in words(browser.get("/me/").content)
    with tenancy.access_context(north.system):
        ProviderProfile.objects.update(support_email="help@north.example")

    assert "mailto:help@north.example" in browser.get("/me/").content.decode()


def test_the_payout_address_is_shown_whole(north: Tenant) -> None:
    client = north.clients[1]
    set_account(client, north, payout_address="bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4")

    assert "to your address bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4" in words(
        client.owner.browser().get("/me/").content
    )


PAGES = ("/me/", "/overview/")
ELSEWHERE = (
    "The pool now pays elsewhere than was agreed with Northmere Hosting. If you did not change this, contact them now."
)
TOLD = "If it was you, tell them too. Until it is settled, no new statement is issued to you."


@pytest.mark.parametrize("path", PAGES)
def test_an_address_that_was_not_agreed_is_not_called_yours(north: Tenant, path: str) -> None:
    statement_of(north)
    set_account(north.clients[0], north, workers_online=52, workers_low=0, workers_offline=0)
    drift(north)
    with tenancy.access_context(north.system):
        ProviderProfile.objects.update(support_email="help@north.example")

    for who in (north.clients[0].owner, north.clients[0].viewer):
        page = who.browser().get(path).content
        text = words(page)
        assert (
            f"{ELSEWHERE} Agreed Northmere Hosting's main balance on 5 Oct 2026 The pool pays {OTHER} since 3 Nov 2026,"
            f" 14:32 UTC Not as agreed since 2 Nov 2026, 14:32 UTC {TOLD} Write to help@north.example"
        ) in text
        assert 'href="mailto:help@north.example"' in page.decode()
        assert "your address" not in text
        assert "Nothing needs you" not in text
        # Who agreed, and what the provider's people may do about it, is theirs.
        assert "robin" not in text
        assert "accept" not in text.lower()

    neighbour = words(north.clients[1].owner.browser().get(path).content)
    assert "elsewhere" not in neighbour


@pytest.mark.parametrize(
    ("agreed", "to", "says"),
    [
        (OTHER, None, f"Agreed {OTHER} on 5 Oct 2026 The pool pays Northmere Hosting's main balance since"),
        (None, "", "The pool pays an address that it does not name since"),
    ],
)
def test_every_place_has_its_words(north: Tenant, agreed: str | None, to: str | None, says: str) -> None:
    drift(north, agreed=agreed, to=to)
    if to == "":
        set_account(north.clients[0], north, payout_destination="external_address", payout_address=None)

    text = words(north.clients[0].owner.browser().get("/me/").content)

    assert says in text
    assert "How to reach Northmere Hosting stands in your contract." in text


def test_an_account_that_is_gone_says_where_it_was_last_paid(north: Tenant) -> None:
    drift(north)
    set_account(north.clients[0], north, unlisted_since=NOW, state="unknown")
    browser = north.clients[0].owner.browser()

    for path in PAGES:
        text = words(browser.get(path).content)
        assert (
            "The pool does not answer for your account now; when it last did, it paid elsewhere than was agreed with"
            " Northmere Hosting. If you did not change this, contact them now."
        ) in text
        assert f"The pool paid {OTHER} since" in text


def test_a_drift_that_nothing_was_agreed_before_says_so_and_the_statement_tile_too(north: Tenant) -> None:
    statement_of(north)
    set_account(north.clients[0], north, payout_destination="unknown", payout_drift_since=NOW)
    browser = north.clients[0].owner.browser()

    for path in PAGES:
        assert "Agreed nothing yet The pool pays unknown Not as agreed since 4 Nov 2026" in words(
            browser.get(path).content
        )
    assert "Your payout is not as agreed" in words(browser.get("/overview/").content)


def test_a_drift_says_its_moment_once_and_is_the_headline(north: Tenant) -> None:
    set_account(north.clients[0], north, workers_online=52, workers_low=0, workers_offline=0)
    drift(north)
    set_account(north.clients[0], north, payout_first_seen_at=NOW, payout_drift_since=NOW)
    browser = north.clients[0].owner.browser()

    for path in PAGES:
        text = words(browser.get(path).content)
        assert (text.count("since 4 Nov 2026, 14:32 UTC"), "Not as agreed since" in text) == (1, False)
    assert "Your payout is not as agreed All 52 machines are up." in words(browser.get("/overview/").content)


def test_a_destination_that_was_never_read_is_unknown(north: Tenant) -> None:
    set_account(north.clients[0], north, payout_destination=None, pool_fee_percent=None)

    text = words(north.clients[0].owner.browser().get("/me/").content)

    assert "The pool pays unknown Pool's fee unknown" in text


def test_three_members_cost_as_many_queries_as_two(north: Tenant) -> None:
    client = north.clients[0]
    browser = client.owner.browser()
    browser.get("/me/")
    with CaptureQueriesContext(connection) as two:
        browser.get("/me/")
    with tenancy.access_context(north.system):
        person(north.system, "third@client-of-north.example", Role.VIEWER, client.customer)
    with CaptureQueriesContext(connection) as three:
        browser.get("/me/")

    assert len(two) == len(three)
