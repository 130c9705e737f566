"""Guesses are counted by account and by network, whatever the Host header says, and lock nobody out at home."""

from __future__ import annotations

import re
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.cache import cache
from django.test import Client, RequestFactory

from portal import visitor
from tests.portal.test_second_factor import code_now, secret_of
from tests.world import NOW, PASSWORD, Person, World

pytestmark = pytest.mark.django_db
SIGN_IN = "/account/login/"
TOO_MANY = "Too many failed login attempts"
HOME, ELSEWHERE = "198.51.100.7", "203.0.113.9"


@pytest.fixture(autouse=True)
def nothing_counted(settings: Any) -> None:
    settings.TRUSTED_PROXY_COUNT = 1
    settings.ALLOWED_HOSTS = ["*"]
    cache.clear()


def guess(who: Person, *, browser: Client | None = None, password: str = "wrong wrong wrong", **headers: str) -> Any:
    headers = {"x-forwarded-for": ELSEWHERE} | {name.replace("_", "-"): value for name, value in headers.items()}
    return (browser or Client()).post(SIGN_IN, {"login": who.user.email, "password": password}, headers=headers)


def person(world: World) -> Person:
    return world.north.clients[0].owner


def test_another_port_or_name_in_the_host_header_does_not_begin_to_count_anew(world: World) -> None:
    answers = [
        guess(person(world), host=f"h{number}.example:{8000 + number}", x_forwarded_for=f"192.0.2.{number}")
        for number in range(8)
    ]

    assert [TOO_MANY in answer.content.decode() for answer in answers] == [False] * 5 + [True] * 3


def test_a_network_of_ipv6_counts_as_one_visitor(world: World) -> None:
    people = [*(client.owner for tenant in (world.north, world.south) for client in tenant.clients)]
    answers = [
        guess(people[number % len(people)], x_forwarded_for=f"2001:db8:1:2:{number + 1:x}::1") for number in range(12)
    ]

    assert [TOO_MANY in answer.content.decode() for answer in answers] == [False] * 10 + [True] * 2
    assert TOO_MANY not in guess(people[0], x_forwarded_for="2001:db8:1:3::1").content.decode()


def test_strangers_lock_nobody_out_of_a_device_they_have_signed_in_from(world: World) -> None:
    browser = Client()
    assert guess(person(world), browser=browser, password=PASSWORD, x_forwarded_for=HOME).status_code == 302
    browser.post("/account/logout/")

    for number in range(30):
        guess(person(world), x_forwarded_for=HOME if number % 2 else ELSEWHERE)

    assert TOO_MANY in guess(person(world), password=PASSWORD, x_forwarded_for=HOME).content.decode()
    assert guess(person(world), browser=browser, password=PASSWORD, x_forwarded_for=HOME).status_code == 302


def test_guesses_on_a_known_device_are_counted_too(world: World) -> None:
    browser = Client()
    guess(person(world), browser=browser, password=PASSWORD)
    browser.post("/account/logout/")

    answers = [guess(person(world), browser=browser) for _ in range(6)]

    assert [TOO_MANY in answer.content.decode() for answer in answers] == [False] * 5 + [True]


def test_a_device_of_one_person_is_none_of_another_and_none_after_a_new_password(world: World) -> None:
    own, other = person(world), world.north.clients[1].owner
    browser = Client()
    guess(own, browser=browser, password=PASSWORD)
    browser.post("/account/logout/")
    for _ in range(6):
        guess(other, x_forwarded_for="192.0.2.1")
        guess(own, x_forwarded_for="192.0.2.2")
    assert TOO_MANY in guess(other, browser=browser, password=PASSWORD).content.decode()

    own.user.set_password("another long password")
    own.user.save()

    assert TOO_MANY in guess(own, browser=browser, password="another long password").content.decode()


def test_a_forged_cookie_is_no_known_device(world: World, settings: Any) -> None:
    browser = Client()
    for _ in range(6):
        guess(person(world))
    for value in ("", "x", '{"device": "d", "people": {"1": "x"}}', "eyJ4IjoxfQ:1x:forged"):
        browser.cookies[settings.DEVICE_COOKIE_NAME] = value
        assert TOO_MANY in guess(person(world), browser=browser, password=PASSWORD).content.decode()


def test_strangers_with_the_password_lock_nobody_out_of_the_second_factor_at_home(world: World) -> None:
    staff, browser = world.north.owner, Client()
    guess(staff, browser=browser, password=PASSWORD, x_forwarded_for=HOME)
    browser.post("/account/2fa/authenticate/", {"code": code_now(secret_of(staff))})
    assert browser.get("/staff/").status_code == 200
    browser.post("/account/logout/")
    thief = Client()
    guess(staff, browser=thief, password=PASSWORD, x_forwarded_for=ELSEWHERE)
    for _ in range(6):
        refused = thief.post("/account/2fa/authenticate/", {"code": "000000"})
    assert TOO_MANY in refused.content.decode()

    guess(staff, browser=browser, password=PASSWORD, x_forwarded_for=HOME)
    answer = browser.post("/account/2fa/authenticate/", {"code": "000000"})

    assert TOO_MANY not in answer.content.decode()


def test_mailed_links_begin_with_the_portals_address_whatever_the_host_header_says(world: World, settings: Any) -> None:
    settings.PORTAL_URL = "https://portal.example.com"
    for email in (person(world).user.email, "nobody@nowhere.example"):
        Client().post("/account/password/reset/", {"email": email}, headers={"host": "evil.example:99"})

    assert len(mail.outbox) == 2
    links = re.findall(r"https?://\S+", str(mail.outbox[0].body))
    assert [link.startswith("https://portal.example.com/account/password/reset/key/") for link in links] == [True]
    assert ["evil" in str(message.message()) for message in mail.outbox] == [False] * 2
    assert Client().get(links[0].removeprefix("https://portal.example.com"), follow=True).status_code == 200


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address", "network"),
    [
        (0, "203.0.113.9", "10.0.0.1", "10.0.0.1"),
        (1, "1.2.3.4, 203.0.113.9", "203.0.113.9", "203.0.113.9"),
        (2, "1.2.3.4, 203.0.113.9, 10.0.0.2", "203.0.113.9", "203.0.113.9"),
        (2, "203.0.113.9", "10.0.0.1", "10.0.0.1"),
        (1, "", "10.0.0.1", "10.0.0.1"),
        (1, "203.0.113.9:4711", "203.0.113.9", "203.0.113.9"),
        (1, "::ffff:203.0.113.9", "203.0.113.9", "203.0.113.9"),
        (1, "[2001:db8::1]:4711", "2001:db8::1", "2001:db8::/64"),
        (1, "2001:db8::1%eth0", "2001:db8::1", "2001:db8::/64"),
        (1, "not an address", "unknown", "unknown"),
    ],
)
def test_the_visitor_is_whom_the_outermost_proxy_of_ours_heard(
    settings: Any, proxies: int, forwarded: str, address: str, network: str
) -> None:
    settings.TRUSTED_PROXY_COUNT = proxies
    request = RequestFactory(REMOTE_ADDR="10.0.0.1").get("/", headers={"x-forwarded-for": forwarded})

    assert (visitor.address_of(request), visitor.network_of(request)) == (address, network)


def test_who_is_held_back_is_told_for_how_long(world: World) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        for _ in range(5):
            guess(person(world))
            clock.shift(20)
        assert "Try again in 4 minutes." in guess(person(world)).content.decode()
        clock.shift(150)
        assert "Try again in a minute." in guess(person(world)).content.decode()
        clock.shift(51)
        assert TOO_MANY not in guess(person(world)).content.decode()


def test_one_network_that_guesses_too_often_waits_for_a_minute(world: World) -> None:
    people = [client.owner for tenant in (world.north, world.south) for client in tenant.clients]
    with time_machine.travel(NOW, tick=False):
        answers = [guess(people[number % len(people)]) for number in range(11)]
    assert "Try again in a minute." in answers[-1].content.decode()


def test_too_many_forms_of_another_kind_say_when_too(world: World) -> None:
    browser = person(world).browser()
    form = {"oldpassword": "x", "password1": "y", "password2": "y"}
    answers = [browser.post("/account/password/change/", form) for _ in range(6)]
    assert answers[-1].status_code == 429
    assert "Try again in a minute." in answers[-1].content.decode()
