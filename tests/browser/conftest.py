"""A real Chromium against the real server. What the browser complains about (script, style, CSP) fails the test."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from playwright.sync_api import Browser, BrowserType, ConsoleMessage, Page, expect, sync_playwright

from tests.waiting import LAST_RESORT_SECONDS
from tests.world import Person

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PHONE, DESK = (390, 844), (1280, 900)
OpenPage = Callable[..., Page]
LAST_RESORT_MS = LAST_RESORT_SECONDS * 1000
expect.set_options(timeout=LAST_RESORT_MS)


def launch(browser_type: BrowserType, *args: str) -> Browser:
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.fail(f"no Chromium on this machine (looked for {', '.join(NAMES)}): .ci/run installs one")
    return browser_type.launch(executable_path=path, args=["--no-sandbox", *args])


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    # Playwright keeps an event loop in this thread, and Django refuses the database inside one; nothing here is async.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = launch(playwright.chromium)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def open_page(chromium: Browser, live_server: Any, settings: Any) -> Iterator[OpenPage]:
    """Pages of fresh browsers: `open_page()`, or `open_page(person, size=PHONE, dark=True)` for one signed in."""
    complaints: list[str] = []
    settings.MFA_TOTP_TOLERANCE = 20  # steps of 30 s: a code that was typed on a slow machine is good all the same

    def opened(
        who: Person | None = None, *, size: tuple[int, int] = DESK, dark: bool = False, fresh: bool = True
    ) -> Page:
        context = chromium.new_context(
            base_url=live_server.url,
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
        )
        context.set_default_timeout(LAST_RESORT_MS)
        if who is not None:
            session = who.browser(fresh=fresh).cookies["portal_session"].value
            context.add_cookies([{"name": "portal_session", "value": session, "url": live_server.url}])
        page = context.new_page()
        page.on("console", lambda message: _hear(complaints, message))
        page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
        return page

    yield opened
    for context in list(chromium.contexts):
        context.close()
    _end_server_sessions()
    assert complaints == []


def _end_server_sessions() -> None:
    """The server's threads may hold a connection a little longer, and the next test's database replaces this one.

    As the runtime role, whose sessions they are: the owner, who drops the database, may not end them.
    """
    quiet = 0
    while quiet < 2:  # an answer that was under way may have opened one more meanwhile
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
            )
            quiet = 0 if cursor.fetchall() else quiet + 1
        time.sleep(0.02)


def _hear(complaints: list[str], message: ConsoleMessage) -> None:
    if message.type in ("error", "warning"):
        complaints.append(f"{message.location.get('url')}: {message.text}")


def sideways(page: Page) -> list[str]:
    """What sticks out of the window to the right, when the page can be scrolled that way."""
    found: list[str] = page.evaluate(
        """() => {
            const root = document.documentElement;
            if (root.scrollWidth <= root.clientWidth) return [];
            const found = [...document.querySelectorAll("body *")]
                .filter((element) => element.getBoundingClientRect().right > root.clientWidth)
                .map((element) => `${element.localName}.${element.className} ${element.textContent.trim()}`);
            return [`${root.scrollWidth} px in ${root.clientWidth}`, ...found];
        }"""
    )
    return [element[:80] for element in found[:5]]
