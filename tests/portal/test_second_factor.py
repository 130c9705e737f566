"""The second factor is not taken off, and its recovery codes are not seen, with a password alone."""

from __future__ import annotations

import re
import time

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value, yield_hotp_counters_from_time
from allauth.mfa.utils import decrypt
from django.core.cache import cache
from django.test import Client

from tests.portal.staff.reading import heading, text
from tests.world import NOW, PASSWORD, Person, World

pytestmark = pytest.mark.django_db

ASKED = "/account/2fa/reauthenticate/?next="
SWITCH_OFF, SET_UP, CODES = (
    "/account/2fa/totp/deactivate/",
    "/account/2fa/totp/activate/",
    "/account/2fa/recovery-codes/",
)
GUARDED = (SWITCH_OFF, CODES, f"{CODES}download/", f"{CODES}generate/")


def code_now(secret: str) -> str:
    counters = list(yield_hotp_counters_from_time())
    return str(format_hotp_value(hotp_value(secret, counters[len(counters) // 2])))


def code_of_step(secret: str, steps: int) -> str:
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30 + steps)))


def secret_of(who: Person) -> str:
    app = Authenticator.objects.get(user=who.user, type=Authenticator.Type.TOTP)
    secret: str = decrypt(app.data["secret"])
    return secret


def factors(who: Person) -> list[str]:
    return sorted(Authenticator.objects.filter(user=who.user).values_list("type", flat=True))


def by_password(who: Person) -> Client:
    browser = who.browser(fresh=False)
    browser.post("/account/reauthenticate/", {"password": PASSWORD, "next": "/account/2fa/"})
    return browser


def by_code(who: Person) -> Client:
    browser = who.browser(fresh=False)
    browser.post("/account/2fa/reauthenticate/", {"code": code_now(secret_of(who)), "next": "/account/2fa/"})
    return browser


@pytest.mark.parametrize("page", GUARDED)
def test_a_password_alone_opens_no_page_of_the_second_factor(world: World, page: str) -> None:
    owner = world.north.owner
    codes = RecoveryCodes.activate(owner.user).get_unused_codes()
    browser = by_password(owner)

    assert browser.get(page)["Location"] == f"{ASKED}{page.replace('/', '%2F')}"
    assert browser.post(page)["Location"].startswith(f"{ASKED}%2Fkept%2F")
    assert factors(owner) == ["recovery_codes", "totp"]
    assert RecoveryCodes(Authenticator.objects.get(user=owner.user, type="recovery_codes")).get_unused_codes() == codes


@pytest.mark.parametrize("page", GUARDED)
def test_with_a_fresh_code_it_opens(world: World, page: str) -> None:
    RecoveryCodes.activate(world.north.owner.user)

    assert by_code(world.north.owner).get(page).status_code == 200


def test_staff_who_switch_it_off_set_up_the_next_one_at_once(world: World) -> None:
    owner = world.north.owner
    browser = by_code(owner)

    answer = browser.post(SWITCH_OFF, follow=True)

    assert (answer.redirect_chain, heading(answer)) == ([(SET_UP, 302)], "Set up your second factor")
    assert factors(owner) == []
    assert browser.get("/staff/customers/")["Location"] == SET_UP


def test_a_customer_who_switches_it_off_is_told_so(world: World) -> None:
    guest = world.north.clients[0].owner
    TOTP.activate(guest.user, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")

    answer = by_code(guest).post(SWITCH_OFF, follow=True)

    assert (answer.redirect_chain, factors(guest)) == ([("/account/2fa/", 302)], [])
    assert "Without it, whoever learns your password is in." in text(answer)


def test_who_sets_it_up_sees_the_recovery_codes_without_another_code(world: World) -> None:
    guest = world.north.clients[0].owner
    browser = by_password(guest)
    secret = re.search(r'class="mono secret">([A-Z2-7]+)<', browser.get(SET_UP).content.decode())
    assert secret is not None

    answer = browser.post(SET_UP, {"code": code_now(secret[1])}, follow=True)

    assert (answer.redirect_chain, heading(answer)) == ([(CODES, 302)], "Recovery codes")
    assert factors(guest) == ["recovery_codes", "totp"]


def test_a_password_does_for_who_has_no_second_factor_to_lose(world: World) -> None:
    guest = world.north.clients[0].owner

    assert by_password(guest).get(SET_UP).status_code == 200
    assert by_password(guest).get(CODES).status_code == 404


def sign_in(who: Person, code: str) -> bool:
    browser = Client()
    browser.post("/account/login/", {"login": who.user.email, "password": PASSWORD})
    return browser.post("/account/2fa/authenticate/", {"code": code}).status_code == 302


@time_machine.travel(NOW, tick=False)
def test_a_code_of_the_step_before_or_after_is_taken_and_none_of_two_steps_away(world: World) -> None:
    owner = world.north.owner
    cache.clear()

    taken = {steps: sign_in(owner, code_of_step(secret_of(owner), steps)) for steps in (-2, -1, 0, 1, 2)}

    assert taken == {-2: False, -1: True, 0: True, 1: True, 2: False}


def test_a_code_is_taken_once_as_long_as_it_is_right(world: World) -> None:
    owner = world.north.owner
    cache.clear()
    code = code_of_step(secret_of(owner), 1)
    assert sign_in(owner, code)
    app = Authenticator.objects.get(user=owner.user, type=Authenticator.Type.TOTP)
    cache.delete(TOTP(app)._get_used_cache_key(code))  # allauth's own note of it lasts for one step only

    assert not sign_in(owner, code)
    assert not sign_in(owner, f"{code[:3]} {code[3:]}")


def test_the_code_that_sets_it_up_signs_nobody_in(world: World) -> None:
    guest = world.north.clients[0].owner
    browser = by_password(guest)
    secret = re.search(r'class="mono secret">([A-Z2-7]+)<', browser.get(SET_UP).content.decode())
    assert secret is not None
    code = code_now(secret[1])
    browser.post(SET_UP, {"code": code})

    assert not sign_in(guest, code)
