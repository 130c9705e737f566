"""The ways in: invitation, second factor, chooser, and a request that fails half-way."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from customers import onboarding, tenancy
from customers.models import Customer, Invitation, MemberKind, Membership, Role, User
from portal.invitations import send_invitation
from portal.logs import mask_bearers
from tests.world import NOW, PASSWORD, World

pytestmark = pytest.mark.django_db


def invite(world: World, email: str, **place: Any) -> str:
    place = place or {"kind": MemberKind.STAFF, "role": Role.SUPPORT}
    with tenancy.access_context(world.north.system):
        from django.utils import timezone

        return reverse(
            "invitation", args=[onboarding.invite(world.north.system, email=email, now=timezone.now(), **place).secret]
        )


def field(page: Any, name: str) -> str:
    found = re.search(f'name="{name}" value="([^"]*)"', page.content.decode())
    assert found is not None
    return unescape(found[1])


def test_a_new_person_accepts_and_must_then_set_up_a_second_factor(world: World) -> None:
    browser, link = Client(), invite(world, "new@person.example")
    assert "Northmere Hosting invites you" in browser.get(link).content.decode()
    answer = browser.post(link, {"name": "New Person", "password1": PASSWORD}, follow=True)
    assert answer.redirect_chain[-1][0] == reverse("mfa_activate_totp")
    assert User.objects.get(email="new@person.example").check_password(PASSWORD)


def test_a_new_customer_user_lands_on_the_overview(world: World) -> None:
    customer = world.north.clients[0].customer
    link = invite(world, "guest@client.example", kind=MemberKind.CUSTOMER, role=Role.VIEWER, customer=customer)
    browser = Client()
    assert "Alder &amp; Finch" in browser.get(link).content.decode()
    answer = browser.post(link, {"name": "Guest", "password1": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert browser.get("/")["Location"] == reverse("customer:overview")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": "New", "password1": "short"}, "too short"),
        ({"name": "New", "password1": "password1234"}, "too common"),
        ({"name": "", "password1": PASSWORD}, "required"),
        ({"name": "new person", "password1": "new@person.example"}, "too similar"),
    ],
)
def test_a_bad_answer_to_an_invitation_changes_nothing(world: World, fields: dict[str, str], says: str) -> None:
    link = invite(world, "new@person.example")
    page = Client().post(link, fields)
    assert page.status_code == 200
    assert says in page.content.decode()
    assert not User.objects.filter(email="new@person.example").exists()


def test_a_used_a_revoked_and_a_guessed_link_are_gone(world: World) -> None:
    used, revoked = invite(world, "new@person.example"), invite(world, "other@person.example")
    Client().post(used, {"name": "New", "password1": PASSWORD})
    with tenancy.access_context(world.north.system):
        Invitation.objects.filter(email="other@person.example").update(revoked_at=NOW)
    for link in (used, revoked, reverse("invitation", args=["guess"])):
        assert Client().get(link).status_code == 404
        assert Client().post(link, {"name": "X", "password1": PASSWORD}).status_code == 404


def test_an_invitation_to_a_known_person_asks_for_sign_in_and_is_not_for_others(world: World) -> None:
    person = world.south.owner
    link = invite(world, person.user.email)
    assert Client().get(link)["Location"] == f"/account/login/?next={link}"
    assert world.south.finance.browser().get(link).status_code == 404
    browser = person.browser()
    assert browser.get(link).status_code == 200
    assert browser.post(link).status_code == 302
    with tenancy.access_context(world.north.system):
        assert Membership.objects.filter(user=person.user).values_list("role", flat=True).get() == "support"


def test_the_mail_goes_out_after_the_commit(world: World, django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True), tenancy.access_context(world.north.system):
        invited = onboarding.invite(
            world.north.system, email="new@person.example", kind=MemberKind.STAFF, role=Role.AUDITOR, now=NOW
        )
        link = send_invitation(invited)
        assert mail.outbox == []
    assert [message.to for message in mail.outbox] == [["new@person.example"]]
    assert link in mail.outbox[0].body


def test_the_chooser_switches_and_a_form_of_the_other_membership_is_refused(world: World) -> None:
    person = world.north.owner
    with tenancy.access_context(world.south.system):
        other = Membership.objects.create(
            provider=world.south.provider, user=person.user, kind=MemberKind.STAFF, role=Role.OWNER, created_at=NOW
        )
    browser = person.browser()
    assert browser.post("/choose/", {"membership": other.code}).status_code == 302
    assert browser.session["membership"] == other.code
    stale = browser.post(reverse("staff:sync_now"), person.form())
    assert stale.status_code == 403
    assert "opened as another member" in stale.content.decode()


def test_a_guessed_membership_is_not_taken(world: World) -> None:
    browser = world.north.owner.browser()
    for guess in (world.south.owner.membership.code, world.north.finance.membership.code, "mem_x", ""):
        assert browser.post("/choose/", {"membership": guess}).status_code == 200
        assert browser.session["membership"] == world.north.owner.membership.code


def test_a_deactivated_membership_and_a_suspended_provider_end_at_once(world: World) -> None:
    client = world.north.clients[0]
    browser = client.owner.browser()
    assert browser.get(reverse("customer:overview")).status_code == 200
    with tenancy.access_context(world.north.system):
        Membership.objects.filter(pk=client.owner.membership.pk).update(is_active=False)
    assert browser.get(reverse("customer:overview"))["Location"] == "/choose/"
    other = world.south.clients[0].owner.browser()
    world.south.provider.status = "suspended"
    world.south.provider.save(update_fields=["status"])
    assert other.get(reverse("customer:overview"))["Location"] == "/choose/"


def test_an_answer_of_500_rolls_the_whole_request_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        Customer.objects.create(provider=world.north.provider, name="half", email="h@h.example", created_at=NOW)
        raise RuntimeError("probe")

    monkeypatch.setattr("portal.views.staff.sync.planner.request_sync", fail)
    browser = world.north.owner.browser()
    browser.raise_request_exception = False
    assert browser.post(reverse("staff:sync_now"), world.north.owner.form()).status_code == 500
    with tenancy.access_context(world.north.system):
        assert not Customer.objects.filter(name="half").exists()


def test_liveness_needs_nothing_and_readiness_needs_database_and_redis(world: World, settings: Any) -> None:
    assert Client().get("/healthz").json() == {"status": "ok"}
    assert Client().get("/readyz").json() == {"status": "ok", "problems": []}
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["problems"]) == (503, ["redis"])


def test_private_pages_are_kept_in_no_cache_and_carry_the_strict_headers(world: World) -> None:
    page = world.north.clients[0].owner.browser().get(reverse("customer:overview"))
    assert page["Cache-Control"] == "no-store"
    assert "'unsafe-inline'" not in page["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in page["Content-Security-Policy"]
    assert page["X-Content-Type-Options"] == "nosniff"


def test_sign_in_asks_staff_for_the_second_factor(world: World) -> None:
    browser = Client()
    answer = browser.post("/account/login/", {"login": world.north.owner.user.email, "password": PASSWORD})
    assert answer["Location"] == reverse("mfa_authenticate")
    assert browser.get("/").status_code == 302
    assert "/account/login/" in browser.get("/")["Location"]


def test_a_wrong_password_and_an_unknown_address_read_alike(world: World) -> None:
    pages = [
        Client().post("/account/login/", {"login": email, "password": "wrong wrong wrong"}).content.decode()
        for email in (world.north.owner.user.email, "nobody@nowhere.example")
    ]
    texts = [
        page.replace(email, "")
        for page, email in zip(pages, (world.north.owner.user.email, "nobody@nowhere.example"), strict=True)
    ]
    import re

    plain = [re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "", text) for text in texts]
    assert plain[0] == plain[1]


def test_sign_up_is_closed(world: World) -> None:
    page = Client().get("/account/signup/")
    assert "password1" not in page.content.decode()
    Client().post("/account/signup/", {"email": "x@x.example", "password1": PASSWORD, "password2": PASSWORD})
    assert not User.objects.filter(email="x@x.example").exists()


def test_a_strangers_failures_do_not_lock_everybody_out(world: World, settings: Any) -> None:
    settings.TRUSTED_PROXY_COUNT = 1  # as in production, where all come through one proxy
    cache.clear()
    for number in range(12):
        stranger = Client(REMOTE_ADDR="10.0.0.1", headers={"x-forwarded-for": "203.0.113.9"})
        stranger.post("/account/login/", {"login": f"nobody{number}@x.example", "password": "wrong wrong wrong"})
    owner = world.north.clients[0].owner.user.email
    person = Client(REMOTE_ADDR="10.0.0.1", headers={"x-forwarded-for": "198.51.100.7"})
    assert person.post("/account/login/", {"login": owner, "password": PASSWORD}).status_code == 302


def test_the_log_masks_links_that_open_a_door() -> None:
    for path in (
        "/invite/SECRET/",
        "/account/login/?next=%2Finvite%2FSECRET%2F",
        "/account/password/reset/key/SECRET/",
    ):
        assert "SECRET" not in str(mask_bearers(None, "", {"request": f"GET {path}"}))
    assert mask_bearers(None, "", {"event": "Bearer hpt_SECRET"}) == {"event": "Bearer hpt_…"}


def test_an_invitation_stands_when_the_mail_server_is_away(
    world: World, settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    person = world.north.owner
    with django_capture_on_commit_callbacks(execute=True):
        answer = person.browser().post(reverse("staff:team_invite"), person.form(email="new@x.example", role="auditor"))
    assert answer.status_code == 302


def test_a_form_that_outlived_its_session_leads_back_to_its_page(world: World) -> None:
    browser, form = Client(), "/staff/team/invite/"
    answer = browser.post(form, {"email": "x"}, headers={"referer": "http://testserver/staff/team/"})
    assert answer["Location"] == "/account/login/?next=/staff/team/%3Funsent%3D1"
    for elsewhere in ("https://evil.example/staff/team/", ""):
        answer = browser.post(form, {"email": "x"}, headers={"referer": elsewhere})
        assert answer["Location"] == "/account/login/?next=/%3Funsent%3D1"
    assert not Session.objects.exists()  # a form of nobody leaves no row


def test_who_signs_in_again_is_told_once_that_the_form_was_not_saved(world: World) -> None:
    said = "You had been signed out, so what you sent was not saved. Please enter it again."
    owner = world.north.clients[0].owner
    for came_from, comes_to in (("http://testserver/me/", "/me/"), ("", "/overview/")):
        browser = Client()
        answer = browser.post("/staff/team/invite/", {"email": "x"}, headers={"referer": came_from})
        sign_in = browser.get(answer["Location"])
        assert said not in sign_in.content.decode()
        form = {"login": owner.user.email, "password": PASSWORD, "next": field(sign_in, "next")}
        page = browser.post("/account/login/", form, follow=True)
        assert (page.request["PATH_INFO"], page.request["QUERY_STRING"]) == (comes_to, "")
        assert said in page.content.decode()
        assert said not in browser.get(comes_to).content.decode()


def test_who_signs_in_next_in_a_browser_is_told_nothing_of_what_another_sent(world: World) -> None:
    browser, owner = Client(), world.north.clients[0].owner
    browser.post("/staff/team/invite/", {"email": "x"}, headers={"referer": "http://testserver/me/"})
    page = browser.post("/account/login/", {"login": owner.user.email, "password": PASSWORD}, follow=True)
    assert "You had been signed out" not in page.content.decode()


def test_who_only_opened_a_page_is_told_nothing_of_a_form(world: World) -> None:
    browser, owner = Client(), world.north.clients[0].owner
    browser.get("/me/")
    page = browser.post("/account/login/", {"login": owner.user.email, "password": PASSWORD}, follow=True)
    assert "You had been signed out" not in page.content.decode()


def test_a_wrong_method_has_a_page(world: World) -> None:
    page = world.north.owner.browser().put("/staff/team/invite/")
    assert (page.status_code, page["Allow"]) == (405, "POST")
    assert "This address only takes a form" in page.content.decode()


@pytest.mark.parametrize(
    ("address", "page"),
    [
        ("/staff/team/invite/", "/staff/team/"),
        ("/staff/team/{member}/role/", "/staff/team/"),
        ("/staff/keys/paste/", "/staff/keys/"),
        ("/staff/documents/close/", "/staff/documents/"),
        ("/staff/contracts/{contract}/versions/", "/staff/contracts/{contract}/"),
        ("/staff/customers/{customer}/people/{member}/end/", "/staff/customers/{customer}/"),
    ],
)
def test_who_reloads_a_forms_address_comes_to_its_page(world: World, address: str, page: str) -> None:
    north = world.north
    codes = {
        "member": north.owner.membership.code,
        "contract": north.clients[0].contract.code,
        "customer": north.clients[0].customer.code,
    }
    answer = north.owner.browser().get(address.format(**codes), follow=True)
    assert (answer.status_code, answer.request["PATH_INFO"]) == (200, page.format(**codes))
