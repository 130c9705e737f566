"""Watcher links in the customer's portal: one's own that work, and nothing of anybody else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers import tenancy
from customers.models import ProviderProfile
from mining.models import WatcherLink
from tests.portal.customer.scenes import words
from tests.portal.watcher_links import make_link
from tests.world import NOW, ClientOfProvider, Tenant, World

PATH = "/watcher-links/"


def page(client: ClientOfProvider) -> str:
    return client.viewer.browser().get(PATH).content.decode()


def test_each_link_says_what_it_shows_and_when_it_ends(north: Tenant) -> None:
    client = north.clients[0]
    ours = make_link(north, client.account, live_until=NOW + timedelta(days=3, hours=2))
    make_link(north, client.account, number=2, live_until=None, lifetime=None, origin="pool", permissions=["rewards"])

    html = page(client)
    text = words(html)

    assert text.startswith("2 watcher links")
    assert "Dashboard and workers hashrate and machines in total, each machine by name ends in 3 days" in text
    assert "7 Nov 2026, 16:32 UTC" in text
    assert "Rewards earnings by day never ends" in text
    assert f'data-copy="{ours.url}"' in html
    assert f'href="{ours.url}"' in html


def test_a_link_that_renews_itself_says_so_and_what_becomes_of_the_old_address(north: Tenant) -> None:
    client = north.clients[0]
    make_link(north, client.account, lifetime="24h")
    assert "renews itself" not in words(page(client))
    old = make_link(north, client.account, number=2, renews=True)

    text = words(page(client))
    assert "It renews itself: a day before it ends a new link appears here, with an address of its own." in text
    assert "This address stops working when it ends: hand the new one on in time." in text

    new = make_link(north, client.account, number=3, renews=True)
    with tenancy.access_context(north.system):
        WatcherLink.objects.filter(pk=old.pk).update(successor=new)
    text = words(page(client))
    assert text.count("The link that follows it is here too, with an address of its own.") == 1
    assert text.count("It renews itself") == 1


def test_one_that_finds_no_place_for_the_next_says_that_there_is_a_gap(north: Tenant) -> None:
    client = north.clients[0]
    make_link(north, client.account, renews=True)
    for number in (2, 3):
        make_link(north, client.account, number=number, live_until=None, lifetime="always")

    text = words(page(client))

    assert "It renews itself, but only once it has ended, as no place is free for another link before that" in text
    assert "appears here some minutes later. In between neither works." in text
    assert "hand the new one on in time" not in text


def test_in_the_demo_an_address_is_copied_and_not_opened(north: Tenant, settings: Any) -> None:
    link = make_link(north, north.clients[0].account)
    settings.PORTAL_MODE = "demo"

    html = page(north.clients[0])

    assert f'data-copy="{link.url}"' in html
    assert f'href="{link.url}"' not in html
    assert "It exists only in the demo's pool: nothing opens there." in words(html)


def test_what_we_have_no_words_for_is_not_hidden(north: Tenant) -> None:
    client = north.clients[0]
    problem = "The pool names permissions that we do not know: payouts."
    make_link(north, client.account, permissions=["dashboard"], problem=problem)

    assert "hashrate and machines in total and more that we have no words for ends in" in words(page(client))


@pytest.mark.parametrize(
    ("live_for", "says"),
    [
        (timedelta(seconds=59), "ends within a minute"),
        (timedelta(minutes=12), "ends in 12 min"),
        (timedelta(minutes=89), "ends in 89 min"),
        (timedelta(minutes=90), "ends in 2 hours"),
        (timedelta(hours=35), "ends in 35 hours"),
        (timedelta(hours=36), "ends in 2 days"),
        (timedelta(days=7, seconds=-5), "ends in 7 days"),
    ],
)
def test_the_end_is_told_in_the_unit_that_one_thinks_in(north: Tenant, live_for: timedelta, says: str) -> None:
    make_link(north, north.clients[0].account, live_until=NOW + live_for)

    assert says in words(page(north.clients[0]))


@pytest.mark.parametrize(
    "facts",
    [
        {"shows_others": True},
        {"live_until": NOW},
        {"state": "gone"},
        {"state": "unknown"},
        {"state": "creating", "url": None, "pool_id": None, "seen_at": None},
        {"state": "failed", "problem": "The pool allows no more."},
    ],
)
def test_only_links_that_work_and_show_nothing_else_are_there(north: Tenant, facts: dict[str, Any]) -> None:
    link = make_link(north, north.clients[0].account, **facts)

    html = page(north.clients[0])

    assert words(html).startswith("No watcher link yet")
    assert str(link.url) not in html
    assert "The pool allows no more." not in html


def test_nobody_sees_anothers_link(world: World) -> None:
    link = make_link(world.north, world.north.clients[0].account)
    neighbours = [world.north.clients[1], world.south.clients[0]]

    assert str(link.url) in page(world.north.clients[0])
    assert [str(link.url) in page(neighbour) for neighbour in neighbours] == [False, False]


def test_without_a_link_the_page_says_what_one_is_and_whom_to_ask(north: Tenant) -> None:
    client = north.clients[0]
    assert "Ask Northmere Hosting, as in your contract." in words(page(client))
    with tenancy.access_context(north.system):
        ProviderProfile.objects.update(support_email="help@north.example")

    assert 'href="mailto:help@north.example"' in page(client)


def test_an_address_that_is_not_https_is_text_and_no_way(north: Tenant) -> None:
    make_link(north, north.clients[0].account, url='javascript:alert("x")<b>')

    html = page(north.clients[0])

    assert 'href="javascript:' not in html
    assert "<b>" not in html.partition("<main")[2]
    assert 'javascript:alert("x")<b>' in words(html)


def test_three_links_cost_as_many_queries_as_one(north: Tenant) -> None:
    client = north.clients[0]
    make_link(north, client.account)
    browser = client.owner.browser()
    browser.get(PATH)
    with CaptureQueriesContext(connection) as one:
        browser.get(PATH)
    for number in (2, 3):
        make_link(north, client.account, number=number)
    with CaptureQueriesContext(connection) as three:
        browser.get(PATH)

    assert len(one) == len(three)
