"""The documentation in a real browser, under our Content-Security-Policy."""

from __future__ import annotations

import os
import shutil
from typing import Any

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.portal.api.conftest import API
from tests.world import build_world

# The page is megabytes of script, and the first answer builds the whole description.
PATIENCE_MS = 30_000

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def threads_may_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    # Playwright's synchronous API runs an event loop in this thread; Django would take us for asynchronous code.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


def test_the_documentation_renders_and_tries_a_call(threads_may_ask: None, live_server: Any) -> None:
    token = build_world().north.token
    complaints: list[str] = []
    with sync_playwright() as playwright:
        executable = shutil.which("chromium") or os.environ.get("CHROMIUM")
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        outside: list[str] = []
        page.on(
            "request", lambda r: outside.append(r.url) if not r.url.startswith((live_server.url, "data:")) else None
        )
        page.goto(f"{live_server.url}{API}/docs/")
        expect(page.get_by_text("List rewards, newest day first")).to_be_visible(timeout=PATIENCE_MS)
        page.get_by_role("button", name="Authorize").first.click()
        page.get_by_label("auth-bearer-value").fill(token)
        page.get_by_label("Apply credentials").click()
        page.get_by_role("button", name="Close").click()
        page.get_by_text("List pool keys, newest first").click()
        page.get_by_role("button", name="Try it out").click()
        page.get_by_role("button", name="Execute").click()
        expect(page.locator(".live-responses-table tbody .response-col_status").first).to_contain_text(
            "200", timeout=PATIENCE_MS
        )
        browser.close()
    assert complaints == []
    assert outside == []
