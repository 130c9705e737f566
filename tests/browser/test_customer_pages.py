"""A customer's pages in a real browser: the way in, the chart, the figures and the files, on a desk and on a phone."""

from __future__ import annotations

import csv
import hashlib
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from billing.queries import month_before
from billing.settlement import month_of
from customers import tenancy
from customers.models import ProviderProfile
from mining.models import HashratePoint
from tests.browser.conftest import DESK, PHONE, OpenPage, sideways
from tests.portal.customer.scenes import PDF, read_the_pool, statement_of
from tests.portal.watcher_links import make_link
from tests.waiting import until
from tests.world import PASSWORD, Tenant, World, make_reward

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WINDOWS = [(DESK, False), (DESK, True), (PHONE, False), (PHONE, True)]
GAP = range(30, 35)  # hours ago without a point


@pytest.fixture
def north(world: World) -> Tenant:
    """Mined up to this hour by the machine's clock: the server runs in a thread of its own, on real time."""
    tenant, now = world.north, timezone.now()
    read_the_pool(tenant, at=now - timedelta(minutes=4))
    client = tenant.clients[0]
    with tenancy.access_context(tenant.system):
        ProviderProfile.objects.update(support_email="help@north.example")
        client.version.valid = (date(2020, 1, 1), None)
        client.version.save()
        HashratePoint.objects.filter(mining_account=client.account).delete()
        for back in range(168):
            if back not in GAP:
                HashratePoint.objects.create(
                    provider=tenant.provider,
                    mining_account=client.account,
                    customer=client.customer,
                    at=now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=back),
                    hashrate_ths=Decimal(10_050 + back),
                )
        today = now.date()
        for back, status in enumerate(("pending", "unknown", "canceled", "successful"), start=1):
            make_reward(client.account, today - timedelta(days=back), status=status, occurrence=7)
    make_link(tenant, client.account, live_until=now + timedelta(days=3), url=f"https://whitebit.com/{'a1b2c3d4' * 20}")
    return tenant


def paths(tenant: Tenant) -> list[str]:
    code = statement_of(tenant).code
    return [
        "/overview/",
        "/rewards/?month=all",
        "/rewards/",
        "/statements/",
        f"/statements/{code}/",
        "/alerts/",
        "/watcher-links/",
        "/me/",
    ]


def cut_off(page: Page) -> list[str]:
    """Tables that are wider than the panel they stand in."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("main .table-box")]
            .filter((box) => box.scrollWidth > box.clientWidth + 1)
            .map((box) => `${box.scrollWidth} in ${box.clientWidth}: ${box.textContent.trim().slice(0, 40)}`)"""
    )
    return found


def test_a_customer_signs_in_and_sees_the_machines_and_the_chart(north: Tenant, open_page: OpenPage) -> None:
    page = open_page()
    page.goto("/")
    page.get_by_label("E-mail").fill(north.clients[0].owner.user.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("50 of 52 machines are up")
    expect(page.locator("[data-chart-read] strong")).to_have_text("10.05 PH/s")
    until(lambda: inked(page))
    expect(page.locator(".chart__table")).to_contain_text("unknown")


def inked(page: Page) -> bool:
    """Something is drawn on the chart's canvas."""
    drawn: bool = page.locator(".chart canvas").evaluate(
        """(canvas) => {
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return data.some((byte) => byte > 0);
        }"""
    )
    return drawn


def test_arrow_keys_walk_along_the_chart_and_over_its_gaps(north: Tenant, open_page: OpenPage) -> None:
    page = open_page(north.clients[0].owner)
    page.goto("/overview/")
    page.locator("[data-chart-plot]").focus()
    readout = page.locator("[data-chart-read] strong")

    page.keyboard.press("Home")
    expect(readout).to_have_text("10.22 PH/s")
    page.keyboard.press("End")
    for _ in range(GAP.start):
        page.keyboard.press("ArrowLeft")
    expect(readout).to_have_text("unknown")


@pytest.mark.parametrize(("size", "dark"), WINDOWS)
def test_no_page_scrolls_sideways_or_loses_a_column(
    north: Tenant, open_page: OpenPage, size: tuple[int, int], dark: bool
) -> None:
    page = open_page(north.clients[0].owner, size=size, dark=dark)

    for path in paths(north):
        page.goto(path)
        page.wait_for_load_state("networkidle")
        assert (path, sideways(page), cut_off(page)) == (path, [], [])


def test_the_filter_works_without_script_and_the_file_has_its_rows(north: Tenant, open_page: OpenPage) -> None:
    page = open_page(north.clients[0].owner)
    page.goto("/rewards/")
    page.get_by_label("Month").select_option("2026-10")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Rewards in October 2026")
    shown = page.locator("tbody tr:not(.is-unknown)").count()  # a day without a reward is no row of the file

    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()

    assert download.value.suggested_filename == "rewards-2026-10.csv"
    with download.value.path().open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == shown >= 3
    assert {row["date"][:7] for row in rows} == {"2026-10"}


def test_a_statement_gives_the_bytes_that_were_kept(north: Tenant, open_page: OpenPage) -> None:
    document = statement_of(north)
    page = open_page(north.clients[0].viewer, size=PHONE)
    page.goto("/statements/")
    page.get_by_role("link", name=str(document.number)).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(str(document.number))

    with page.expect_download() as download:
        page.get_by_role("link", name="PDF").click()

    assert download.value.suggested_filename == f"{document.number}.pdf"
    assert hashlib.sha256(download.value.path().read_bytes()).digest() == hashlib.sha256(PDF).digest()


def test_a_copied_amount_is_one_clean_number(north: Tenant, open_page: OpenPage) -> None:
    page = open_page(north.clients[0].owner)
    page.goto(f"/statements/{statement_of(north).code}/")

    copied = page.locator("tfoot .btc").last.evaluate(
        "(amount) => { getSelection().selectAllChildren(amount); return getSelection().toString(); }"
    )

    assert copied == "0.00248625"


def test_a_customer_without_anything_yet_sees_what_comes(world: World, open_page: OpenPage) -> None:
    north = world.north
    client = north.clients[0]
    read_the_pool(north, at=None)
    with tenancy.access_context(north.system):
        for reward in client.rewards:
            reward.delete()
    page = open_page(client.owner, size=PHONE)

    page.goto("/overview/")

    expect(page.get_by_role("heading", level=1)).to_have_text("We have not read the pool yet")
    expect(page.locator(".steps .now")).to_contain_text("First reading of the pool")
    assert sideways(page) == []


def test_the_month_before_is_told_beside_this_one(north: Tenant, open_page: OpenPage) -> None:
    client, today = north.clients[0], timezone.now().date()
    before = month_of(month_before(today))
    with tenancy.access_context(north.system):
        make_reward(client.account, before.lower.replace(day=20), total="0.00001000", fee="0.00000025")
    page = open_page(client.owner)

    page.goto("/overview/")

    expect(page.locator(".tiles")).to_contain_text(f"All of {before.lower:%B}")
