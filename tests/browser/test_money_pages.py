"""Balances, payments and an open document, on a desk and on a phone. Birch owes 43,875 satoshi for October."""

from __future__ import annotations

import pytest

from billing.models import Document
from tests.browser.conftest import DESK, PHONE, OpenPage, sideways
from tests.browser.test_customer_pages import cut_off
from tests.portal import access_table
from tests.portal.customer.scenes import statement_of
from tests.world import Tenant, World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def invoice(world: World) -> Document:
    return statement_of(world.north, index=1)


@pytest.fixture
def payment(world: World, invoice: Document) -> str:
    return access_table.payment(world.north)["code"]


@pytest.mark.parametrize("size", [DESK, PHONE])
@pytest.mark.parametrize("dark", [False, True])
def test_no_page_of_money_scrolls_sideways_or_loses_a_column(
    world: World, invoice: Document, payment: str, open_page: OpenPage, size: tuple[int, int], dark: bool
) -> None:
    north: Tenant = world.north
    birch = north.clients[1]
    of_staff = [
        "/staff/balances/",
        f"/staff/payments/new/?customer={birch.customer.code}",
        "/staff/payments/file/",
        f"/staff/payments/{payment}/",
        f"/staff/documents/{invoice.code}/",
        f"/staff/customers/{birch.customer.code}/",
        "/staff/settings/payments/",
    ]
    of_customer = ["/", "/statements/", f"/statements/{invoice.code}/"]
    for who, paths in ((north.finance, of_staff), (birch.owner, of_customer)):
        page = open_page(who, size=size, dark=dark)
        for path in paths:
            page.goto(path)
            page.wait_for_load_state("networkidle")
            assert (path, sideways(page), cut_off(page)) == (path, [], [])
