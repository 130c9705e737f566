"""The settings in a real browser: what is typed is previewed, and the server works colours out as the browser does."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from customers import brand
from customers.models import ProviderProfile
from tests.browser.conftest import PHONE, OpenPage, sideways
from tests.pictures import picture
from tests.portal.staff.reading import rows
from tests.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
COMPANY = "/staff/settings/company/"

# As it is painted: a computed colour may be written in any notation.
PAINTED = """(element) => {
    const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    canvas.fillStyle = getComputedStyle(element).color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
}"""


def link_colour(page: Page) -> list[int]:
    painted: list[int] = page.locator(".preview[data-theme=light] a").first.evaluate(PAINTED)
    return painted


@pytest.mark.parametrize("colour", ["#0b5fae", "#f7931a", "#e0001b", "#ffd21f", "#0c0f14"])
def test_a_colour_is_previewed_as_it_is_typed_and_the_server_works_it_out_alike(
    world: World, open_page: OpenPage, colour: str
) -> None:
    page = open_page(world.north.owner)
    page.goto(COMPANY)
    ink = brand.brand_of(colour).ink
    wanted = [int(ink[at : at + 2], 16) for at in (1, 3, 5)]

    page.get_by_label("Colour").fill(colour)

    expect(page.locator(f"link[href='/brand/{colour[1:]}.css']")).to_have_count(1)
    page.wait_for_function("(href) => document.querySelector(href).sheet", arg=f"link[href='/brand/{colour[1:]}.css']")
    assert all(abs(one - other) <= 1 for one, other in zip(link_colour(page), wanted, strict=True))
    (profile,) = rows(world.north, ProviderProfile)
    assert profile.brand_colour == ""


def test_a_logo_is_sent_from_a_phone_and_stands_on_the_page(world: World, open_page: OpenPage) -> None:
    page = open_page(world.north.owner, size=PHONE, dark=True)
    page.goto(COMPANY)
    page.get_by_label("Logo").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": picture(300, 90)})

    page.get_by_role("button", name="Save brand").click()

    expect(page.get_by_text("Saved. Pages show it at once")).to_be_visible()
    logo = page.get_by_role("img", name="Northmere Hosting").first
    assert logo.evaluate("(picture) => picture.complete && picture.naturalWidth") == 300
    assert sideways(page) == []
