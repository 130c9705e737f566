"""A filter that is refused lists nothing: whatever stood there would read like an answer to it."""

from __future__ import annotations

import re
from html import unescape

import pytest

from billing.settlement import close_period
from customers import tenancy
from mining.models import MiningAccount
from tests.portal.staff.reading import heading, text
from tests.portal.watcher_links import make_link
from tests.world import FIRST_DAY, NOW, Tenant

pytestmark = pytest.mark.django_db

LONG = {"q": "x" * 3000}


@pytest.fixture
def listed(north: Tenant) -> Tenant:
    """Something is on every list."""
    with tenancy.access_context(north.system):
        close_period(north.system, month=FIRST_DAY, now=NOW)
    make_link(north, north.clients[0].account)
    return north


@pytest.mark.parametrize(
    ("path", "refused", "why"),
    [
        ("customers/", LONG, "at most 200 characters"),
        ("customers/", {"q": "\x00"}, "at least one character that can be seen"),
        ("contracts/", LONG, "at most 200 characters"),
        ("watcher-links/", LONG, "at most 200 characters"),
        ("documents/", {"status": "nope"}, "Select a valid choice."),
        ("documents/", {"month": "2026-99"}, "Select a valid choice."),
        ("rewards/", {"date_from": "2026-12-01", "date_to": "2026-01-01"}, "This day is before the first one."),
    ],
)
def test_a_refused_filter_says_why_and_lists_nothing(
    listed: Tenant, path: str, refused: dict[str, str], why: str
) -> None:
    browser = listed.owner.browser()
    assert browser.get(f"/staff/{path}").context["rows"] != []
    answer = browser.get(f"/staff/{path}", refused)
    assert answer.context["rows"] == []
    assert why in text(answer)
    assert "Nothing is listed: the filter above says what is wrong with it." in text(answer)


@pytest.mark.parametrize(
    ("path", "words", "says"),
    [
        ("customers/", "alder", "1 of 2 customers"),
        ("customers/", "nobody", "0 of 2 customers"),
        ("contracts/", "alder", "1 of 2 contracts"),
        ("rewards/", "nobody", "Rewards that match"),
    ],
)
def test_the_headline_follows_the_filter(listed: Tenant, path: str, words: str, says: str) -> None:
    answer = listed.owner.browser().get(f"/staff/{path}", {"q": words})
    assert heading(answer) == says
    assert "BTC in" not in text(answer).split("Customer")[0]


def test_an_account_of_nobody_is_taken_over_with_its_name_filled_in(north: Tenant) -> None:
    with tenancy.access_context(north.system):
        MiningAccount.objects.create(
            provider=north.provider, login=north.login, name="stray", state="active", first_seen_at=NOW
        )
    browser = north.owner.browser()
    page = browser.get("/staff/customers/")
    assert "Take over stray" in text(page)
    (to,) = re.findall(r'href="(/staff/customers/new/\?[^"]+)"', page.content.decode())
    assert 'value="stray"' in browser.get(unescape(to)).content.decode()
