"""A form that was kept, shown to the one person who sent it, to be sent again as it was."""

from __future__ import annotations

from typing import cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from customers.models import User
from portal import kept_forms
from portal.access import memberships_of, open_page
from portal.middleware import ACTING_AS, MEMBERSHIP


@require_GET
@open_page
def kept_form(request: HttpRequest, name: str) -> HttpResponse:
    """Before a membership is chosen: the form was opened as one, and a new session has none yet."""
    user = cast("User", request.user)
    form = kept_forms.find(name, user.pk)
    if form is None:
        return render(request, "account/kept_form_gone.html", status=404)
    opened_as = next((field.value for field in form.fields if field.name == ACTING_AS), "")
    if any(membership.code == opened_as for membership in memberships_of(user)):
        request.session[MEMBERSHIP] = opened_as
    return render(request, "account/kept_form.html", {"form": form, "minutes": kept_forms.MINUTES})
