"""An act that is refused half-way leaves nothing behind, whichever way the page answers."""

from __future__ import annotations

import pytest
from django import forms
from django.contrib.messages.storage.cookie import CookieStorage
from django.test import RequestFactory

from customers import tenancy
from customers.models import Customer
from mining.errors import Refused
from portal.views.staff.answers import accepted, do
from tests.portal.staff.reading import rows
from tests.world import NOW, Tenant

pytestmark = pytest.mark.django_db


def half_done(north: Tenant) -> str:
    Customer.objects.create(provider=north.provider, name="Half", email="h@h.example", created_at=NOW)
    raise Refused("Not like this.")


def test_a_refused_form_tells_the_sentence_and_keeps_nothing(north: Tenant) -> None:
    form = forms.Form({})
    with tenancy.access_context(north.system):
        assert not accepted(form, lambda: half_done(north))
    assert form.non_field_errors() == ["Not like this."]
    assert rows(north, Customer, name="Half") == []


def test_a_refused_button_tells_the_sentence_and_keeps_nothing(north: Tenant) -> None:
    request = RequestFactory().post("/")
    request._messages = CookieStorage(request)  # type: ignore[attr-defined]  # as the middleware does
    with tenancy.access_context(north.system):
        answer = do(request, lambda: half_done(north), "staff:sync")
    assert answer["Location"] == "/staff/sync/"
    assert [(message.level_tag, message.message) for message in request._messages] == [("error", "Not like this.")]  # type: ignore[attr-defined]
    assert rows(north, Customer, name="Half") == []
