"""The answer to an act is in sight and in focus when the page opens, with script and without."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, OpenPage
from tests.portal.watcher_links import make_link
from tests.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def without_script(page: Page) -> Page:
    browser = page.context.browser
    assert browser is not None
    return browser.new_context(
        java_script_enabled=False,
        storage_state=page.context.storage_state(),
        viewport={"width": PHONE[0], "height": PHONE[1]},
    ).new_page()


@pytest.mark.parametrize("script", [True, False])
def test_the_answer_to_an_act_far_down_the_page_is_in_sight_and_in_focus(
    world: World, open_page: OpenPage, live_server: Any, script: bool
) -> None:
    north = world.north
    make_link(north, north.clients[0].account, live_until=None, lifetime="7d")
    page = open_page(north.support, size=PHONE)
    address = f"{live_server.url}/staff/customers/{north.clients[0].customer.code}/#links"
    if not script:
        page = without_script(page)
    page.goto(address)

    page.get_by_role("button", name="Renew by itself").click()

    said = page.get_by_role("status").filter(has_text="A new link is made before this one ends.")
    expect(said).to_be_focused()
    expect(said).to_be_in_viewport()
    said.get_by_role("link", name="See below").click()
    expect(page.get_by_role("heading", name="Watcher links")).to_be_in_viewport()
