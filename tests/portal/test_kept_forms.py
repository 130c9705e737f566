"""A form that was sent without a fresh code is kept for its person, and sent again by them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client

from customers.models import Invitation, Membership, Role
from mining.models import Credential
from portal import kept_forms
from tests.portal.staff.reading import heading, rows, text
from tests.portal.test_second_factor import code_now, secret_of
from tests.world import NOW, Person, Tenant, World

pytestmark = pytest.mark.django_db

INVITE, ASKED = "/staff/team/invite/", "/account/2fa/reauthenticate/"


@pytest.fixture
def north(world: World) -> Iterator[Tenant]:
    cache.clear()
    with time_machine.travel(NOW):
        yield world.north


def kept_at(answer: Any) -> str:
    """Where the page that asks for the code goes on to."""
    address = urlsplit(answer["Location"])
    assert address.path == ASKED
    return str(parse_qs(address.query)["next"][0])


def sent(who: Person, browser: Client, path: str, **fields: object) -> str:
    return kept_at(browser.post(path, who.form(**fields), headers={"referer": "http://testserver/staff/team/"}))


def give_code(who: Person, browser: Client, back: str) -> Any:
    return browser.post(ASKED, {"code": code_now(secret_of(who)), "next": back}, follow=True)


def send_again(browser: Client, page: Any, **typed: str) -> Any:
    """As the page's one button does."""
    html = page.content.decode()
    action = re.search(r'action="([^"]+)"', html)
    assert action is not None
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', html)
    fields = {name: unescape(value) for name, value in hidden}
    return browser.post(unescape(action[1]), fields | typed, follow=True)


def test_a_form_waits_for_the_code_and_is_then_sent_as_it_was(north: Tenant) -> None:
    owner = north.owner
    browser = owner.browser(fresh=False)
    back = sent(owner, browser, INVITE, email="new@north.example", role="finance")
    assert rows(north, Invitation) == []

    page = give_code(owner, browser, back)

    assert (heading(page), rows(north, Invitation)) == ("Not done yet", [])
    assert "Email new@north.example Role finance" in text(page)
    assert 'href="/staff/team/"' in page.content.decode()
    answer = send_again(browser, page)
    assert "The invitation to new@north.example is on its way." in text(answer)
    assert [invitation.role for invitation in rows(north, Invitation)] == ["finance"]


def test_a_button_too(north: Tenant) -> None:
    owner, path = north.owner, f"/staff/team/{north.support.membership.code}/role/"
    browser = owner.browser(fresh=False)

    send_again(browser, give_code(owner, browser, sent(owner, browser, path, role="auditor")))

    (member,) = rows(north, Membership, pk=north.support.membership.pk)
    assert member.role == Role.AUDITOR


def test_without_the_code_it_is_asked_for_again_and_nothing_is_done(north: Tenant) -> None:
    owner = north.owner
    browser = owner.browser(fresh=False)
    page = browser.get(sent(owner, browser, INVITE, email="new@north.example", role="finance"))

    answer = send_again(browser, page)

    assert (heading(answer), rows(north, Invitation)) == ("Is it you?", [])


def test_it_is_there_for_its_person_alone(world: World) -> None:
    owner = world.north.owner
    browser = owner.browser(fresh=False)
    back = sent(owner, browser, INVITE, email="new@north.example", role="finance")

    for other in (world.north.finance, world.south.owner, world.north.clients[0].owner):
        answer = other.browser().get(back)
        assert (answer.status_code, heading(answer)) == (404, "Nothing is kept here")
    assert Client().get(back)["Location"].startswith("/account/login/")
    assert browser.get(back).status_code == 200


def test_it_is_sealed_where_it_is_kept_and_ends_after_minutes(north: Tenant) -> None:
    owner = north.owner
    browser = owner.browser(fresh=False)
    back = sent(owner, browser, INVITE, email="new@north.example", role="finance")
    key = f"kept-form:{back.split('/')[2]}"
    assert "new@north" not in str(cache.get(key))
    assert 0 < cache._cache.get_client().ttl(cache.make_key(key)) <= kept_forms.MINUTES * 60  # type: ignore[attr-defined]

    cache.delete(key)

    assert browser.get(back).status_code == 404


def test_secrets_are_typed_again(north: Tenant) -> None:
    owner = north.owner
    browser = owner.browser(fresh=False)
    back = sent(owner, browser, "/staff/keys/paste/", login="alpha", api_key="k" * 32, secret="s" * 32)

    page = give_code(owner, browser, back)

    for typed in ("k" * 32, "s" * 32):
        assert typed not in page.content.decode()
    assert "Secrets are not kept: enter it again." in text(page)
    send_again(browser, page, api_key="9f3a" * 8, secret="b7c1" * 8)
    assert [key.key_hint for key in rows(north, Credential, state="checking")] == ["9f3a"]


def test_what_is_too_large_is_not_kept(north: Tenant) -> None:
    owner = north.owner
    browser = owner.browser(fresh=False)

    assert sent(owner, browser, INVITE, email="x" * kept_forms.LARGEST, role="finance") == "/staff/team/"


def test_terms_that_reach_back_ask_and_those_from_today_on_do_not(north: Tenant) -> None:
    finance, path = north.finance, f"/staff/contracts/{north.clients[0].contract.code}/versions/"
    browser = finance.browser(fresh=False)

    def agreed(day: str) -> Any:
        terms = {"share": "12", "basis": "net", "valid_from": day}
        seen_as = browser.get(path, terms).context["effect"].seen_as
        return browser.post(path, finance.form(**terms, seen_as=seen_as))

    assert kept_at(agreed("2026-11-03")).startswith("/kept/")
    assert agreed("2026-11-04")["Location"] == path.removesuffix("versions/")


def test_who_pastes_a_key_is_asked_before_the_secret_is_typed(north: Tenant) -> None:
    stale = north.owner.browser(fresh=False).get("/staff/keys/")
    assert "We ask for a code of your second factor first." in text(stale)
    assert 'name="secret"' not in stale.content.decode()
    assert 'name="secret"' in north.owner.browser().get("/staff/keys/").content.decode()
