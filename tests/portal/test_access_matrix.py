"""Net 3: every route, for everybody. A new address without a row in access_table.py fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from portal.access import ALLAUTH_PAGES
from tests.portal.access_table import ROUTES, Row
from tests.world import Person, Tenant, World

pytestmark = pytest.mark.django_db


def patterns(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    for entry in resolver.url_patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from patterns(entry, route)
        elif not _is_of_the_api(entry):
            yield route


def _is_of_the_api(entry: URLPattern) -> bool:
    """By its view class, not by its address: the API's matrix asks for each of them with and without a token."""
    return getattr(getattr(entry.callback, "cls", None), "portal_api", False)


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    assert set(patterns(get_resolver())) == ROUTES.keys()


def test_every_open_page_of_allauth_is_one_of_its_pages() -> None:
    names = {name for name in get_resolver().reverse_dict if isinstance(name, str)}
    assert names >= ALLAUTH_PAGES.keys()


ASKED = "/account/2fa/reauthenticate/?next="


def visit(browser: Client, route: str, row: Row, tenant: Tenant, who: Person | None) -> int:
    return int(answer_to(browser, route, row, tenant, who).status_code)


def answer_to(browser: Client, route: str, row: Row, tenant: Tenant, who: Person | None) -> Any:
    path = "/" + (row.path or route)
    for name, value in row.arguments(tenant).items():
        for converter in ("str", "slug"):
            path = path.replace(f"<{converter}:{name}>", value)
    assert "<" not in path, f"{route} needs arguments in its row"
    if row.method == "post":
        return browser.post(path, who.form() if who else {})
    return browser.get(path)


def may_open(row: Row, who: Person) -> bool:
    kind = row.audience.partition(":")[0]
    if kind in ("open", "signed_in", "member"):
        return True
    if who.access.kind == "staff":
        return who.access.role in row.staff_roles
    return who.access.role in row.customer_roles


@pytest.mark.parametrize("route", sorted(ROUTES))
def test_those_who_may_get_it_and_nobody_else(world: World, route: str) -> None:
    row = ROUTES[route]
    north, south = world.north, world.south
    own_customer, other_customer = north.clients[0], north.clients[1]
    insiders = [north.owner, north.finance, north.support, north.auditor, own_customer.owner, own_customer.viewer]
    answers = {who.user.email: visit(who.browser(), route, row, north, who) for who in insiders}
    for who in insiders:
        answer = answers[who.user.email]
        if may_open(row, who):
            assert answer in row.answers, who.user.email
        elif row.staff_roles if who.access.kind == "staff" else row.customer_roles:
            assert answer == 403, who.user.email
        else:
            assert answer == 404, who.user.email
    anonymous = visit(Client(), route, row, north, None)
    assert anonymous in (row.answers if row.audience == "open" else (302,))
    if row.arguments(north) != row.arguments(south):
        outsiders = [south.owner, other_customer.owner] if row.customer_roles else [south.owner]
        for who in outsiders:
            assert visit(who.browser(), route, row, north, who) == 404, who.user.email


@pytest.mark.parametrize("route", sorted(r for r in ROUTES if ROUTES[r].audience.startswith("staff")))
def test_staff_without_a_second_factor_must_set_one_up_first(world: World, route: str) -> None:
    from allauth.mfa.models import Authenticator

    row = ROUTES[route]
    who = next(p for p in (world.north.owner, world.north.finance) if p.access.role in row.staff_roles)
    Authenticator.objects.filter(user=who.user).delete()
    assert visit(who.browser(), route, row, world.north, who) == 302


@pytest.mark.parametrize("route", sorted(r for r in ROUTES if ROUTES[r].audience.startswith("staff")))
def test_just_the_acts_that_touch_money_keys_and_people_ask_for_a_fresh_code(world: World, route: str) -> None:
    row, north = ROUTES[route], world.north
    who = next(p for p in (north.owner, north.finance) if p.access.role in row.staff_roles)
    answer = answer_to(who.browser(fresh=False), route, row, north, who)
    assert answer.headers.get("Location", "").startswith(ASKED) == row.asks
