from __future__ import annotations

from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers import tenancy
from customers.models import ProviderProfile, Role
from tests.portal.customer.scenes import set_account, words
from tests.world import Tenant, person


def test_the_page_says_who_i_am_what_was_agreed_and_who_else_is_here(north: Tenant) -> None:
    client = north.clients[0]

    text = words(client.viewer.browser().get("/me/").content)

    assert text.startswith("Viewer0 Viewer for Alder & Finch, a customer of Northmere Hosting")
    assert "Customer no. C-0" in text
    assert "Account client_0 The pool pays to our balance Pool's fee 2.50 %" in text
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
