"""Machines, uptime, the fleet and exclusions in a real browser, on a desk and on a phone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from mining.models import Exclusion, Worker
from tests.browser.conftest import DESK, PHONE, OpenPage, sideways
from tests.browser.fleet import a_live_fleet
from tests.browser.test_customer_pages import cut_off, inked
from tests.waiting import until
from tests.world import Tenant, World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WINDOWS = [(DESK, False), (DESK, True), (PHONE, False), (PHONE, True)]


@pytest.fixture
def machines(world: World) -> dict[str, Worker]:
    return a_live_fleet(world.north)


@pytest.fixture
def north(world: World, machines: dict[str, Worker]) -> Tenant:
    return world.north


def last_month() -> str:
    return f"{timezone.now().replace(day=1) - timedelta(days=1):%Y-%m}"


@pytest.mark.parametrize(("size", "dark"), WINDOWS)
def test_no_page_of_the_fleet_scrolls_sideways_or_loses_a_column(
    north: Tenant, machines: dict[str, Worker], open_page: OpenPage, size: tuple[int, int], dark: bool
) -> None:
    code, flaps = north.clients[0].customer.code, machines["af-h1-003"].code
    with north.context():
        window = Exclusion.objects.order_by("pk")[0].code
    of_customer = ["/machines/", f"/machines/{flaps}/", "/uptime/", f"/uptime/?month={last_month()}"]
    of_staff = [
        "/staff/fleet/",
        f"/staff/customers/{code}/machines/",
        f"/staff/customers/{code}/machines/{flaps}/",
        f"/staff/customers/{code}/uptime/",
        f"/staff/customers/{code}/site/",
        "/staff/exclusions/",
        f"/staff/exclusions/{window}/change/",
    ]
    for who, paths in ((north.clients[0].owner, of_customer), (north.owner, of_staff)):
        page = open_page(who, size=size, dark=dark)
        for path in paths:
            page.goto(path)
            page.wait_for_load_state("networkidle")
            assert (path, sideways(page), cut_off(page)) == (path, [], [])


def test_a_customer_finds_the_machine_that_is_down_and_when_it_fell(north: Tenant, open_page: OpenPage) -> None:
    page = open_page(north.clients[0].viewer, size=PHONE)
    page.goto("/machines/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("2 machines are down since")
    until(lambda: inked(page))

    page.get_by_role("searchbox").fill("h2-021")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("link", name="af-h2-021").click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("af-h2-021 is down since")
    expect(page.locator("main")).to_contain_text("It fell between")


def test_staff_see_what_a_window_changes_before_they_enter_it(north: Tenant, open_page: OpenPage) -> None:
    now = timezone.now()
    page = open_page(north.support)
    page.goto("/staff/exclusions/")
    page.get_by_label("Which").fill("Bergvik hall 2")
    page.get_by_label("From (UTC)").fill(f"{now - timedelta(hours=30):%Y-%m-%dT%H:%M}")
    page.get_by_label("Until (UTC)").fill(f"{now - timedelta(hours=1):%Y-%m-%dT%H:%M}")

    page.get_by_role("button", name="See what it changes").click()
    expect(page.locator("#new")).to_contain_text("3 customers, 72 machines")
    expect(page.locator("#new del")).to_have_count(3)
    page.get_by_role("button", name="Exclude 29").click()

    expect(page.get_by_role("status").first).to_contain_text("The window stands.")
    with north.context():
        assert Exclusion.objects.filter(entered_by=north.support.user.email).count() == 1
