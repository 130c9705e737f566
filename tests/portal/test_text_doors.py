"""Every door takes text in its one normal form, and none takes what nobody can see."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from customers import tenancy
from customers.models import Customer, Provider
from customers.text import NOTHING_VISIBLE
from portal.forms.people import NewPersonForm
from portal.forms.staff import InviteForm, NewCustomerForm
from tests.portal.staff.reading import text
from tests.world import World

pytestmark = pytest.mark.django_db
INVISIBLE = ("\u200b", "\u200e\u202e", "\u2800 \u3164", "\u0301")
DECOMPOSED, COMPOSED = " Ku\u0308hl\u200b\u00a0 GmbH\u202c", "Kühl GmbH"


def named(world: World, name: str) -> Customer:
    customer = world.north.clients[0].customer
    with tenancy.access_context(world.north.system):
        Customer.objects.filter(pk=customer.pk).update(name=name)
    return customer


@pytest.mark.parametrize("name", INVISIBLE)
def test_forms_refuse_a_name_that_nobody_can_see(name: str) -> None:
    new = NewCustomerForm({"name": name}, logins=[])
    person = NewPersonForm({"name": name}, email="x@x.example")

    assert [list(form.errors["name"]) for form in (new, person)] == [[NOTHING_VISIBLE]] * 2


def test_forms_keep_the_normal_form() -> None:
    new = NewCustomerForm({"name": DECOMPOSED, "external_ref": "\u200bK-1", "email": "o@exa\u200bmple.com"}, logins=[])
    new.full_clean()

    assert [new.cleaned_data[name] for name in ("name", "external_ref", "email")] == [COMPOSED, "K-1", "o@example.com"]
    invited = InviteForm({"email": "o\u200b@x.example", "role": "owner"}, kind="staff")  # type: ignore[arg-type]  # its value
    assert (invited.is_valid(), invited.cleaned_data.get("email")) == (True, "o@x.example")


@pytest.mark.parametrize("typed", [DECOMPOSED, "ku\u0308hl", "KÜHL", "k\u200büh"])
def test_a_search_finds_what_looks_like_it(world: World, typed: str) -> None:
    customer = named(world, COMPOSED)

    page = world.north.support.browser().get(reverse("staff:customers"), {"q": typed})

    assert (COMPOSED in text(page), "Birch" in text(page), customer.code in page.content.decode()) == (
        True,
        False,
        True,
    )


def change(world: World, **fields: Any) -> Any:
    path = f"/api/v1/customers/{world.north.clients[0].customer.code}"
    return world.north.api().patch(path, json.dumps(fields), content_type="application/json")


@pytest.mark.parametrize("name", INVISIBLE)
def test_the_api_refuses_a_name_that_nobody_can_see(world: World, name: str) -> None:
    answer = change(world, name=name)

    assert (answer.status_code, answer.json()["errors"]) == (400, {"name": [NOTHING_VISIBLE]})


def test_the_api_keeps_the_normal_form_and_finds_by_it(world: World) -> None:
    assert change(world, name=DECOMPOSED, external_ref="Ku\u0308-1").json()["name"] == COMPOSED

    found = world.north.api().get("/api/v1/customers", {"external_ref": "Kü-1"}).json()["data"]

    assert [row["name"] for row in found] == [COMPOSED]


def test_commands_keep_the_normal_form_and_refuse_what_nobody_can_see() -> None:
    options = ("--slug", "kuehl", "--owner-email", "o@x.example")
    with pytest.raises(CommandError, match="--name is empty"):
        call_command("provider", "create", *options, "--name", "\u200b")

    call_command("provider", "create", *options, "--name", DECOMPOSED)

    assert Provider.objects.get(slug="kuehl").name == COMPOSED
