"""Acts that touch money ask for the second factor once more: being signed in is not enough."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlencode

from allauth.account.authentication import get_authentication_records
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse


def is_fresh(request: HttpRequest, *, now: datetime) -> bool:
    """Whether this person gave a code of the second factor lately, beside the one at sign-in. A password is none."""
    earliest = now.timestamp() - settings.ACCOUNT_REAUTHENTICATION_TIMEOUT
    return any(
        record["method"] == "mfa" and record.get("reauthenticated") and earliest <= record["at"] <= now.timestamp()
        for record in get_authentication_records(request, request.user)
    )


def ask(request: HttpRequest) -> HttpResponse:
    """To the page that asks for the code, and back to this one: as a page also from a form, which is sent anew.

    Path not taken: allauth's decorator. It keeps the form and runs the view again past our middleware, and so past
    the check of roles and of the membership; and a password would do for it.
    """
    return redirect(f"{reverse('mfa_reauthenticate')}?{urlencode({'next': request.path})}")
