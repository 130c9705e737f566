"""An act that is refused half-way leaves nothing behind, whichever way the page answers."""

from __future__ import annotations

import pytest
from django import forms
from django.contrib import messages
from django.contrib.messages.storage.cookie import CookieStorage
from django.http import HttpRequest
from django.test import RequestFactory

from customers import tenancy
from customers.errors import Refused
from customers.models import Customer
from portal.views.staff.responses import accepted, answer, do
from tests.portal.staff.reading import rows
from tests.world import NOW, Tenant

pytestmark = pytest.mark.django_db


def half_done(north: Tenant) -> str:
    Customer.objects.create(provider=north.provider, name="Half", email="h@h.example", created_at=NOW)
    raise Refused("Not like this.", code="customer.half")


def posted() -> HttpRequest:
    request = RequestFactory().post("/")
    request._messages = CookieStorage(request)  # type: ignore[attr-defined]  # as the middleware does
    return request


def said(request: HttpRequest) -> list[tuple[str, str, str]]:
    stored = request._messages  # type: ignore[attr-defined]
    return [(message.level_tag, message.message, message.extra_tags) for message in stored]


def test_what_is_about_a_part_of_a_page_is_told_at_its_top_and_leads_to_the_part() -> None:
    request = posted()
    assert answer(request, messages.SUCCESS, "Done.", "/staff/sync/#quarantine")["Location"] == "/staff/sync/"
    assert said(request) == [("success", "Done.", "quarantine")]


def test_what_is_settled_on_another_page_leads_there() -> None:
    request = posted()
    do(request, keyless, "staff:sync")
    ((_, sentence, _),) = said(request)
    assert sentence == 'No key for &lt;b&gt;. <a href="/staff/keys/">Pool keys</a>'


def keyless() -> str:
    raise Refused("No key for %(login)s.", code="key.missing", params={"login": "<b>"})


def test_a_refused_form_tells_the_sentence_and_keeps_nothing(north: Tenant) -> None:
    form = forms.Form({})
    with tenancy.access_context(north.system):
        assert not accepted(form, lambda: half_done(north))
    assert form.non_field_errors() == ["Not like this."]
    assert rows(north, Customer, name="Half") == []


def test_a_refused_button_tells_the_sentence_and_keeps_nothing(north: Tenant) -> None:
    request = posted()
    with tenancy.access_context(north.system):
        refused = do(request, lambda: half_done(north), "staff:sync")
    assert refused["Location"] == "/staff/sync/"
    assert said(request) == [("error", "Not like this.", "")]
    assert rows(north, Customer, name="Half") == []
