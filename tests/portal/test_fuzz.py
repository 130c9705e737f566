"""Whatever is typed into a form or an address, and whatever is sent twice at once, is answered: never by a 500."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django import forms
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customers import onboarding, tenancy
from customers.models import MemberKind, Membership, Role
from portal.forms import customer as customer_forms
from portal.forms import links as link_forms
from portal.forms import people as people_forms
from portal.forms import staff as staff_forms
from tests.portal.access_table import ROUTES, Row
from tests.waiting import ended, in_thread
from tests.world import PASSWORD, Person, World

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "250"))
FORMS = [
    form
    for module in (customer_forms, link_forms, people_forms, staff_forms)
    for _, form in inspect.getmembers(module, inspect.isclass)
    if issubclass(form, forms.Form)
]
# What forms declare, and what views read by hand or add while they run.
NAMES = sorted(
    {name for form in FORMS for name in form.declared_fields}
    | {"after", "document", "month", "customer", "next", "membership", "unsent", "confirm", "code", "label", "role"}
    | {"nothing_for_us", "nothing_for_customer", "answer", "reward", "page", "kind", "state", "q", "account"}
)
NASTY = [
    *("", " ", "\x00", "a\x00b", "-", "--5", "x:--5", "x:5", "x:-" + "9" * 30, "x:" + "9" * 5000, "٣", "１", "²", "½"),
    *("0", "-1", "1e400", "NaN", "Infinity", "9" * 400, "0026-10-01", "9999-12-31", "2026-02-30", "2026-13", "2026-10"),
    *(
        "\ud800",
        "\u200b",
        "\u202e",
        "🚀" * 300,
        "%",
        "'",
        '"',
        "\\",
        "_",
        "=1+1",
        "../..",
        "//x.example",
        "a@b",
        "true",
    ),
    *("draft", "issued", "owner", "net", "gross", "main", "all", "cus_" + "a" * 20, "doc_" + "a" * 20 + ":5"),
]
VALUES = st.one_of(st.sampled_from(NASTY), st.text(max_size=40))
# Each request sends every name: a page reads few of them, and the others cost nothing.
FIELDS = st.fixed_dictionaries({name: st.lists(VALUES, min_size=1, max_size=2) for name in NAMES})
MOST_FIELDS = 900  # of one request; Django takes no more than 1,000
PAGES = sorted(route for route, row in ROUTES.items() if row.audience.partition(":")[0] in ("staff", "customer"))


def address(world: World, route: str, row: Row) -> str:
    path = "/" + route
    for name, value in row.arguments(world.north).items():
        path = path.replace(f"<str:{name}>", value)
    return path


def who_may(world: World, row: Row) -> Person:
    return world.north.clients[0].owner if row.audience == "customer" else world.north.owner


def send(world: World, browser: Client, route: str, fields: dict[str, list[str]], *, posts: bool) -> int:
    row = ROUTES[route]
    with tenancy.access_context(world.north.system):  # they may have ended by now, by a form of before
        Membership.objects.all().update(is_active=True)
    path, sent = address(world, route, row), _encodable(fields)
    answer = browser.post(path, who_may(world, row).form(**sent)) if posts else browser.get(path, sent)
    return answer.status_code


def browsers_of(world: World) -> dict[str, Client]:
    """By route: the same browser for all pages of one person."""
    staff, customer = world.north.owner.browser(), world.north.clients[0].owner.browser()
    return {route: customer if ROUTES[route].audience == "customer" else staff for route in PAGES}


@pytest.mark.long
@pytest.mark.django_db
def test_no_form_and_no_query_is_answered_by_a_500(world: World) -> None:
    browsers = browsers_of(world)

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.sampled_from(PAGES), st.booleans(), FIELDS)
    def asked(route: str, posts: bool, fields: dict[str, list[str]]) -> None:
        assert send(world, browsers[route], route, fields, posts=posts) < 500, (route, fields)

    asked()


@pytest.mark.long
@pytest.mark.django_db
def test_no_list_of_odd_values_is_answered_by_a_500(world: World) -> None:
    """Each page reads each name with all of them: what is read by hand as a list meets every value at once."""
    browsers, names = browsers_of(world), MOST_FIELDS // len(NASTY)
    groups = [NAMES[first : first + names] for first in range(0, len(NAMES), names)]

    failed = [
        (route, group, posts)
        for route in PAGES
        for group in groups
        for posts in (False, True)
        if send(world, browsers[route], route, dict.fromkeys(group, NASTY), posts=posts) >= 500
    ]

    assert failed == []


def _encodable(fields: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: [value.encode(errors="replace").decode() for value in values] for name, values in fields.items()}


@pytest.mark.django_db
@pytest.mark.parametrize("value", [value for value in NASTY if ":" in value])
def test_what_a_page_never_carried_issues_nothing(world: World, value: str) -> None:
    owner = world.north.owner

    answer = owner.browser().post(reverse("staff:document_issue"), owner.form(document=value), follow=True)

    assert "Nothing was issued." in answer.content.decode()


# --- The same at the same moment


def at_once(times: int, act: Callable[[], int]) -> list[int]:
    """What each was answered, of as many threads that begin together."""
    barrier, answers = Barrier(times), []

    def work() -> None:
        barrier.wait()
        answers.append(act())

    ended(*[in_thread(work) for _ in range(times)])
    return sorted(answers)


@pytest.mark.django_db(transaction=True)
def test_an_invitation_that_is_accepted_eight_times_at_once_makes_one_account(world: World) -> None:
    with tenancy.access_context(world.north.system):
        invited = onboarding.invite(
            world.north.system, email="new@x.example", kind=MemberKind.STAFF, role=Role.AUDITOR, now=timezone.now()
        )
    link = reverse("invitation", args=[invited.secret])

    def accept() -> int:
        browser = Client(raise_request_exception=False)
        return browser.post(link, {"name": "New", "password1": PASSWORD}).status_code

    answers = at_once(8, accept)

    # The others are told that it has ended, or, once there is an account, to sign in.
    assert (answers[0], set(answers) <= {302, 404}) == (302, True), answers
    with tenancy.access_context(world.north.system):
        assert Membership.objects.filter(user__email="new@x.example").count() == 1


def acts(world: World) -> dict[str, dict[str, Any]]:
    client = world.north.clients[0]
    terms = {"share": "10", "basis": "net", "valid_from": "2026-12-01"}
    return {
        reverse("staff:customer_new"): {
            "name": "Twice", "email": "t@x.example", "external_ref": "T-1", "how": "adopt", "account_name": "twice",
        },
        reverse("staff:contract_version_new", args=[client.contract.code]): terms,
        reverse("staff:team_invite"): {"email": "twice@x.example", "role": "auditor"},
        reverse("staff:document_close"): {"month": "2026-10"},
        reverse("staff:sync_now"): {},
        reverse("staff:team_role", args=[world.north.finance.membership.code]): {"role": "support"},
        reverse("staff:team_end", args=[world.north.auditor.membership.code]): {},
        reverse("staff:key_verify", args=[world.north.credential.code]): {},
    }  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_no_act_that_is_sent_four_times_at_once_is_answered_by_a_500(world: World) -> None:
    owner = world.north.owner

    def act(path: str, fields: dict[str, Any]) -> int:
        browser = owner.browser()
        browser.raise_request_exception = False
        return browser.post(path, owner.form(**fields)).status_code

    answers = {path: at_once(4, partial(act, path, fields)) for path, fields in acts(world).items()}

    assert {path: codes for path, codes in answers.items() if max(codes) >= 500} == {}
