"""The API's documentation in a real browser, under our Content-Security-Policy; nothing is fetched from outside."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_the_documentation_renders_and_tries_a_call(live_server: Any, open_page: OpenPage, world: World) -> None:
    token = world.north.token
    outside: list[str] = []
    page = open_page()
    page.on("request", lambda r: outside.append(r.url) if not r.url.startswith((live_server.url, "data:")) else None)

    page.goto("/api/v1/docs/")
    expect(page.get_by_text("List rewards, newest day first")).to_be_visible()
    page.get_by_role("button", name="Authorize").first.click()
    page.get_by_label("auth-bearer-value").fill(token)
    page.get_by_label("Apply credentials").click()
    page.get_by_role("button", name="Close", exact=True).click()
    page.get_by_text("List pool keys, newest first").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()

    status = page.locator(".live-responses-table tbody .response-col_status").first
    expect(status).to_contain_text("200")
    assert outside == []
