"""On a phone: with text at twice the usual size nothing is cut or printed over, and what has the focus is seen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from customers.models import Customer
from tests.browser.conftest import PHONE, OpenPage, launch, sideways
from tests.browser.test_customer_pages import paths
from tests.browser.test_staff_pages import found, trouble
from tests.portal.customer.scenes import read_the_pool
from tests.world import FIRST_DAY, NOW, World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SIGN_IN = ["/account/login/"]
ACCOUNT = ["/account/2fa/"]
STAFF = [
    "", "customers/", "rewards/", "documents/", f"documents/issue/?month={FIRST_DAY:%Y-%m}", "sync/", "watcher-links/",
    "team/",
]  # fmt: skip


@pytest.fixture(scope="module")
def chromium(chromium: Browser) -> Iterator[Browser]:
    """As somebody has it who set the browser's own font size to twice the usual 16 px."""
    browser = launch(chromium.browser_type, "--blink-settings=defaultFontSize=32")
    yield browser
    browser.close()


def cut_off(page: Page) -> list[str]:
    """Amounts and words of the bottom bar that reach over the edge of what they stand in."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll(".btc, .state > *, .tabs > *")]
            .filter((part) => part.checkVisibility())
            .filter((part) => {
                const around = part.closest("td, dd, .tile, .panel") ?? document.documentElement;
                return part.scrollWidth > part.clientWidth + 1 && part.clientWidth
                    || part.getBoundingClientRect().right > around.getBoundingClientRect().right + 1;
            })
            .map((part) => `${part.className} ${part.textContent.trim()}`)"""
    )
    return found


def covering(page: Page) -> list[str]:
    """Parts that stay in sight while the page moves below them, and leave too little of it."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("main *")]
            .filter((part) => getComputedStyle(part).position === "sticky" && part.offsetHeight > innerHeight / 4)
            .map((part) => `${part.className} ${part.offsetHeight} px`)"""
    )
    return found


def looked_at(page: Page, addresses: list[str]) -> None:
    for address in addresses:
        answer = page.goto(address)
        assert answer is not None
        assert page.evaluate("getComputedStyle(document.documentElement).fontSize") == "32px"
        seen = (answer.status, sideways(page), cut_off(page), covering(page))
        assert (address, *seen) == (address, 200, [], [], [])


def test_large_text_fits_on_the_pages_of_staff(world: World, open_page: OpenPage) -> None:
    north = world.north
    trouble(north)
    customer = found(north, Customer)[0].code
    looked_at(open_page(size=PHONE), SIGN_IN)
    addresses = [*(f"/staff/{name}" for name in STAFF), f"/staff/customers/{customer}/", *ACCOUNT]
    looked_at(open_page(north.owner, size=PHONE), addresses)


def test_large_text_fits_on_the_pages_of_a_customer(world: World, open_page: OpenPage) -> None:
    read_the_pool(world.north, at=NOW)
    looked_at(open_page(world.north.clients[0].owner, size=PHONE), paths(world.north))


def test_what_has_the_focus_is_not_below_the_bottom_bar(world: World, open_page: OpenPage) -> None:
    page = open_page(world.north.owner, size=PHONE)
    below = """() => {
        const focused = document.activeElement, bar = document.querySelector(".tabs");
        return !bar.contains(focused) && focused.getBoundingClientRect().bottom > bar.getBoundingClientRect().top;
    }"""
    for path in ("documents/", "customers/new/"):
        page.goto(f"/staff/{path}")
        page.locator("main").focus()
        page.keyboard.press("Tab")
        while page.evaluate("document.querySelector('main').contains(document.activeElement)"):
            assert not page.evaluate(below), page.evaluate("document.activeElement.outerHTML")
            page.keyboard.press("Tab")
