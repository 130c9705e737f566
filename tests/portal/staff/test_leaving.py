"""A customer's details are edited, and a customer is closed and opened again, on pages and by the API alike."""

from __future__ import annotations

import pytest
from django.urls import reverse

from billing.issue import issue_all
from billing.settlement import close_period
from customers import onboarding, tenancy
from customers.models import AuditEntry, Customer, Invitation, MemberKind, Membership, Role
from tests.billing.books import OCTOBER
from tests.billing.payments.money import settle_all
from tests.portal.api.conftest import Caller
from tests.portal.staff.reading import heading, rows, text
from tests.portal.watcher_links import make_link
from tests.world import NOW, Tenant, World

pytestmark = pytest.mark.django_db


def address(name: str, tenant: Tenant) -> str:
    return reverse(f"staff:customer_{name}", args=[tenant.clients[0].customer.code])


def bill_everything(tenant: Tenant) -> None:
    with tenancy.access_context(tenant.system):
        issue_all(tenant.system, close_period(tenant.system, month=OCTOBER, now=NOW), now=NOW)
        settle_all(tenant.system, now=NOW)


def status(tenant: Tenant) -> str:
    (customer,) = rows(tenant, Customer, pk=tenant.clients[0].customer.pk)
    return str(customer.status)


def test_the_name_the_address_and_the_reference_are_edited(north: Tenant) -> None:
    fields = {"name": "Alder Ltd", "email": "Office@Alder.example", "external_ref": ""}

    answer = north.support.browser().post(address("edit", north), north.support.form(**fields), follow=True)

    assert heading(answer) == "Alder Ltd"
    (customer,) = rows(north, Customer, pk=north.clients[0].customer.pk)
    assert (customer.email, customer.external_ref) == ("office@alder.example", None)
    assert [entry.details for entry in rows(north, AuditEntry, action="customer.changed")] == [
        {"changed": "email external_ref name"}
    ]


def test_a_reference_that_another_customer_has_is_refused_beside_what_was_typed(north: Tenant) -> None:
    fields = {"name": "Alder Ltd", "email": "a@a.example", "external_ref": "C-1"}

    answer = north.owner.browser().post(address("edit", north), north.owner.form(**fields))

    assert "Another customer has the reference" in text(answer)
    assert 'value="Alder Ltd"' in answer.content.decode()


def test_the_page_says_what_is_open_and_the_button_is_not_there(north: Tenant) -> None:
    page = north.owner.browser().get(address("close", north))

    assert heading(page) == "Alder & Finch cannot be closed yet"
    assert "3 of Alder & Finch's rewards are not billed, from 1 October 2026 on" in text(page)
    assert "button--danger" not in page.content.decode()

    north.owner.browser().post(address("close", north), north.owner.form())
    assert status(north) == "active"


def test_closing_ends_the_access_of_its_people_and_of_nobody_else(world: World, north: Tenant) -> None:
    bill_everything(north)
    client, neighbour = north.clients[0], north.clients[1]
    make_link(north, client.account)
    with tenancy.access_context(north.system):
        onboarding.invite(
            north.system, email="new@x.example", kind=MemberKind.CUSTOMER, role=Role.OWNER, customer=client.customer,
            now=NOW,
        )  # fmt: skip
    person, other = client.owner.browser(), neighbour.owner.browser()
    page = north.owner.browser().get(address("close", north))
    assert "the access of 2 people, and 1 open invitation" in text(page)
    assert "1 watcher link, since the pool takes none back" in text(page)

    answer = north.owner.browser().post(address("close", north), north.owner.form(), follow=True)

    assert "Alder & Finch is closed." in text(answer)
    assert (person.get("/overview/").status_code, other.get("/overview/").status_code) == (302, 200)
    assert [invited.is_open(NOW) for invited in rows(north, Invitation)] == [False]
    assert [member.is_active for member in rows(north, Membership, customer=client.customer)] == [False, False]
    (entry,) = rows(north, AuditEntry, action="customer.closed")
    assert entry.details == {"members_ended": 2, "invitations_revoked": 1}
    assert status(world.south) == "active"


def test_a_closed_customer_is_marked_and_opened_again(north: Tenant) -> None:
    bill_everything(north)
    owner = north.owner.browser()
    open_page = owner.get(reverse("staff:customer", args=[north.clients[0].customer.code])).content.decode()
    assert address("invite", north) in open_page
    owner.post(address("close", north), north.owner.form())

    assert "Closed" in text(owner.get("/staff/customers/"))
    page = owner.get(address("close", north), follow=True)
    assert "closed 4 Nov 2026" in text(page)
    for offered in (address("invite", north), "watcher-links/new/", "Change terms"):
        assert offered not in page.content.decode()

    owner.post(address("reopen", north), north.owner.form())
    assert status(north) == "active"


def test_the_api_closes_and_opens_with_the_same_refusals(north: Tenant) -> None:
    api, path = Caller(north.api()), f"customers/{north.clients[0].customer.code}"
    assert api.post(f"{path}/close", {}).json()["type"] == "/problems/customer.rewards_open"
    bill_everything(north)

    closed = api.post(f"{path}/close", {}).json()

    assert closed["status"] == "closed"
    assert closed["closed_at"].startswith("2026-11-04T14:32:")
    assert api.post(f"{path}/close", {}).json()["type"] == "/problems/customer.closed"
    assert api.post(f"{path}/reopen", {}).json()["status"] == "active"
    assert api.post(f"{path}/reopen", {}).json()["type"] == "/problems/customer.not_closed"
