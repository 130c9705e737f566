"""Sessions end by themselves, by hand and with what they were opened with; a form that came too late is kept."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client

from customers import tenancy
from customers.models import Invitation, MemberKind, Membership, Role
from portal.sessions import device_in_words
from portal.tasks import forget_ended_sessions
from tests.portal.staff.reading import heading, rows, text
from tests.portal.test_kept_forms import send_again
from tests.portal.test_second_factor import code_now, secret_of
from tests.world import NOW, PASSWORD, Person, World

pytestmark = pytest.mark.django_db

PAGE, OTHERS = "/account/sessions/", "/account/sessions/end-others/"
SIGN_IN, CODE = "/account/login/", "/account/2fa/authenticate/"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0"
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/17.5 Mobile/15E148 Safari/604.1"
)
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
STAFF_PAGE, OWN_PAGE = "/staff/team/", "/overview/"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def clock() -> Any:
    cache.clear()
    with time_machine.travel(NOW, tick=False) as moved:
        yield moved


def signed_in(who: Person, user_agent: str = FIREFOX, address: str = "198.51.100.7") -> Client:
    browser = Client(REMOTE_ADDR=address, headers={"user-agent": user_agent})
    answer = browser.post(SIGN_IN, {"login": who.user.email, "password": PASSWORD})
    if answer["Location"] == CODE:
        cache.clear()  # the same code again, in the same moment
        answer = browser.post(CODE, {"code": code_now(secret_of(who))})
    assert answer.status_code == 302
    return browser


def is_in(browser: Client, page: str = STAFF_PAGE) -> bool:
    answer = browser.get(page)
    if answer.status_code == 200:
        return True
    assert answer["Location"].startswith(SIGN_IN)
    return False


def guest(world: World) -> Person:
    return world.north.clients[0].owner


# --- By themselves


@pytest.mark.parametrize(("staff", "idle", "whole"), [(True, HOUR, DAY), (False, 7 * DAY, 30 * DAY)])
def test_a_session_ends_without_use_and_however_much_it_is_used(
    world: World, clock: Any, *, staff: bool, idle: timedelta, whole: timedelta
) -> None:
    who, page = (world.north.owner, STAFF_PAGE) if staff else (guest(world), OWN_PAGE)
    idler, worker = signed_in(who), signed_in(who)
    assert is_in(idler, page)
    clock.shift(idle)
    assert is_in(idler, page)
    clock.shift(idle + timedelta(seconds=1))
    assert not is_in(idler, page)
    assert not is_in(idler, page)  # and stays so

    worker = signed_in(who)
    step = idle - timedelta(minutes=5)
    for _ in range(whole // step):
        assert is_in(worker, page)
        clock.shift(step)
    assert is_in(worker, page)
    clock.shift(whole % step + timedelta(seconds=1))
    assert not is_in(worker, page)
    assert not Session.objects.filter(session_key=worker.cookies["portal_session"].value).exists()


def test_a_browser_that_was_left_alone_for_longer_than_staff_may_is_not_theirs_to_go_on_with(
    world: World, clock: Any
) -> None:
    who = guest(world)
    with tenancy.access_context(world.north.system):
        staff = Membership.objects.create(
            provider=world.north.provider, user=who.user, kind=MemberKind.STAFF, role=Role.AUDITOR, created_at=NOW
        )
    TOTP.activate(who.user, generate_totp_secret())
    browser = who.browser()
    assert is_in(browser, OWN_PAGE)
    clock.shift(2 * HOUR)
    assert is_in(browser, OWN_PAGE)
    browser.post("/choose/", {"membership": staff.code})

    assert not is_in(browser)


def test_a_session_begins_with_its_first_request_of_whatever_kind(world: World, clock: Any) -> None:
    browser, by_itself = Client(), {"HX-Request": "true"}
    browser.force_login(world.north.owner.user)
    assert browser.get("/staff/sync/", headers=by_itself).status_code == 200
    clock.shift(DAY + timedelta(seconds=1))

    assert browser.get("/staff/sync/", headers=by_itself)["HX-Redirect"].startswith(SIGN_IN)


def test_a_page_that_refreshes_itself_keeps_nobody_in(world: World, clock: Any) -> None:
    browser = signed_in(world.north.owner)
    browser.get("/staff/sync/")
    for _ in range(4):
        clock.shift(timedelta(minutes=15))
        assert browser.get("/staff/sync/", headers={"HX-Request": "true"}).status_code == 200
    clock.shift(timedelta(seconds=1))

    assert not is_in(browser)


def test_a_part_that_refreshes_itself_leads_the_whole_page_to_the_sign_in(world: World, clock: Any) -> None:
    browser = signed_in(world.north.owner)
    browser.get("/staff/sync/")
    clock.shift(HOUR + timedelta(seconds=1))

    answer = browser.get("/staff/sync/", headers={"HX-Request": "true"})

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer["HX-Redirect"] == f"{SIGN_IN}?next=/staff/sync/"


def test_sessions_that_nobody_came_back_to_are_forgotten_and_the_others_kept(world: World, clock: Any) -> None:
    signed_in(guest(world))
    clock.shift(31 * DAY)
    other = signed_in(world.north.owner)
    clock.shift(timedelta(seconds=1))

    forget_ended_sessions()

    assert [row.user for row in UserSession.objects.all()] == [world.north.owner.user]
    assert is_in(other)
    assert Session.objects.count() == 1


def test_a_session_is_written_to_once_a_minute_at_most(world: World, clock: Any) -> None:
    browser = signed_in(world.north.owner)
    seen = []
    for seconds in (0, 30, 29, 2):
        clock.shift(timedelta(seconds=seconds))
        browser.get(STAFF_PAGE)
        seen.append(browser.session["seen_at"])

    begun = NOW.timestamp()
    assert seen == [begun, begun, begun, begun + 61]


def test_who_becomes_staff_in_a_customers_old_session_signs_in_again(world: World, clock: Any) -> None:
    who = guest(world)
    with tenancy.access_context(world.north.system):
        staff = Membership.objects.create(
            provider=world.north.provider, user=who.user, kind=MemberKind.STAFF, role=Role.AUDITOR, created_at=NOW
        )
    browser = signed_in(who)
    browser.post("/choose/", {"membership": who.membership.code})
    clock.shift(2 * DAY)
    assert is_in(browser, OWN_PAGE)
    browser.post("/choose/", {"membership": staff.code})

    assert not is_in(browser)


# --- A form that came too late


def too_late(world: World, browser: Client, path: str = "/staff/team/invite/", **fields: Any) -> Any:
    form = world.north.owner.form(**({"email": "new@north.example", "role": "finance"} | fields))
    return browser.post(path, form, headers={"referer": f"http://testserver{STAFF_PAGE}"})


def test_a_form_that_came_after_the_end_is_sent_after_the_next_sign_in(world: World, clock: Any) -> None:
    owner = world.north.owner
    browser = signed_in(owner)
    browser.get(STAFF_PAGE)
    clock.shift(HOUR + timedelta(seconds=1))

    answer = too_late(world, browser)
    sign_in = browser.get(answer["Location"])
    assert "What you sent is kept for some minutes: sign in and send it." in text(sign_in)
    back = re.search(r'name="next" value="([^"]+)"', sign_in.content.decode())
    assert back is not None
    browser.post(SIGN_IN, {"login": owner.user.email, "password": PASSWORD, "next": back[1]})
    page = browser.post(CODE, {"code": code_now(secret_of(owner))}, follow=True)

    assert (page.request["PATH_INFO"], heading(page), rows(world.north, Invitation)) == (back[1], "Not done yet", [])
    assert "Email new@north.example Role finance" in text(page)
    # Inviting asks for a fresh code besides; the form waits there too.
    clock.shift(timedelta(minutes=2))
    asked = send_again(browser, page)
    kept = re.search(r'name="next" value="([^"]+)"', asked.content.decode())
    assert kept is not None
    page = browser.post(
        "/account/2fa/reauthenticate/", {"code": code_now(secret_of(owner)), "next": kept[1]}, follow=True
    )
    send_again(browser, page)
    assert [invitation.email for invitation in rows(world.north, Invitation)] == ["new@north.example"]


def test_another_person_who_signs_in_next_does_not_see_it(world: World, clock: Any) -> None:
    browser = signed_in(world.north.owner)
    browser.get(STAFF_PAGE)
    clock.shift(HOUR + timedelta(seconds=1))
    back = too_late(world, browser)["Location"].partition("next=")[2]

    assert signed_in(world.north.finance).get(back).status_code == 404


# --- By hand


def test_ones_own_are_listed_in_words(world: World, clock: Any) -> None:
    owner = world.north.owner
    phone = signed_in(owner, PHONE, "203.0.113.9")
    signed_in(world.north.finance)
    clock.shift(timedelta(minutes=30))
    desk = signed_in(owner)

    words = text(desk.get(PAGE))

    assert "You are signed in at 2 places" in words
    first, second = words.index("Firefox on Windows This one from 198.51.100.7"), words.index("Safari on iPhone")
    assert first < second
    assert "from 203.0.113.9 since 4 Nov 2026, 14:32 UTC , last used within the last hour End" in words
    assert "1 hour after its last use, and 24 hours after the sign-in" in words
    assert str(phone.session.session_key) not in desk.get(PAGE).content.decode()


def name_of(page: Any) -> str:
    found = re.search(rf'action="{PAGE}([0-9a-f]+)/end/"', page.content.decode())
    assert found is not None
    return found[1]


def test_one_is_ended_at_once(world: World) -> None:
    owner = world.north.owner
    phone, desk = signed_in(owner, PHONE), signed_in(owner)

    answer = desk.post(f"{PAGE}{name_of(desk.get(PAGE))}/end/", follow=True)

    assert "That session has ended." in text(answer)
    assert (is_in(phone), is_in(desk)) == (False, True)


def test_anothers_is_not_there_and_this_one_is_not_ended_so(world: World) -> None:
    owner, finance = world.north.owner, world.north.finance
    phone, desk, theirs = signed_in(owner, PHONE), signed_in(owner), signed_in(finance)
    name, own = name_of(desk.get(PAGE)), name_of(phone.get(PAGE))

    assert theirs.post(f"{PAGE}{name}/end/").status_code == 404
    assert desk.post(f"{PAGE}{own}/end/").status_code == 404
    assert all(map(is_in, (phone, desk, theirs)))


def test_all_others_are_ended(world: World) -> None:
    owner = world.north.owner
    others, desk, theirs = [signed_in(owner, PHONE) for _ in range(2)], signed_in(owner), signed_in(world.north.finance)

    answer = desk.post(OTHERS, follow=True)

    assert "2 other sessions ended. You are signed in here only." in text(answer)
    assert [is_in(browser) for browser in (*others, desk, theirs)] == [False, False, True, True]


# --- With what they were opened with


def test_a_changed_password_ends_the_others_and_not_this_one(world: World) -> None:
    who = guest(world)
    phone, desk = signed_in(who, PHONE), signed_in(who)
    new = "another correct horse battery"

    answer = desk.post(
        "/account/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new}, follow=True
    )

    assert heading(answer) == "Sign-in and security"
    assert (is_in(phone, OWN_PAGE), is_in(desk, OWN_PAGE)) == (False, True)
    assert "You are signed in here only" in text(desk.get(PAGE))
    assert UserSession.objects.filter(user=who.user).count() == 1


def test_a_changed_second_factor_ends_the_others_and_not_this_one(world: World) -> None:
    who = guest(world)
    TOTP.activate(who.user, generate_totp_secret())
    phone, desk = signed_in(who, PHONE), signed_in(who)
    cache.clear()
    desk.post("/account/2fa/reauthenticate/", {"code": code_now(secret_of(who)), "next": "/account/2fa/"})

    desk.post("/account/2fa/totp/deactivate/")

    assert (is_in(phone, OWN_PAGE), is_in(desk, OWN_PAGE)) == (False, True)


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (FIREFOX, "Firefox on Windows"),
        (PHONE, "Safari on iPhone"),
        (f"Mozilla/5.0 (X11; Linux x86_64) {CHROME}", "Chrome on Linux"),
        (f"Mozilla/5.0 (Windows NT 10.0) {CHROME} Edg/131.0.0.0", "Edge on Windows"),
        (f"Mozilla/5.0 (Linux; Android 14) {CHROME}", "Chrome on Android"),
        ("curl/8.5.0", "curl"),
        ("<script>", "An unknown device"),
        ("", "An unknown device"),
    ],
)  # fmt: skip
def test_a_browser_is_told_in_words(user_agent: str, words: str) -> None:
    assert device_in_words(user_agent) == words


def test_a_visitor_whose_address_nobody_knows_gets_in_all_the_same(world: World) -> None:
    browser = signed_in(guest(world), address="not an address")

    assert "from an unknown network" in text(browser.get(PAGE))
