"""A form that could not be taken as it came is not lost: the session was over, or a fresh second factor was missing.

It is kept for minutes, sealed for the person who sent it, and sent again by that person from a page that shows it.
Redis may lose it, as a browser might. Path not taken: filling it into its page again, which each view would have to
know how to do.
"""

from __future__ import annotations

import json
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import urlsplit

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

MINUTES = 15
LARGEST = 64 * 1024  # characters; the longest form of ours has a few thousand
# Typed again: whoever sits at the browser later would have them otherwise.
SECRETS = frozenset({"api_key", "secret", "password", "password1", "password2", "oldpassword", "code"})
GUARD = "csrfmiddlewaretoken"
# What a page writes into its form for the view, and nobody typed.
UNSEEN = frozenset({"acting_as", "seen_as", "confirmed", "document"})


class Field(NamedTuple):
    name: str
    value: str

    @property
    def words(self) -> str:
        return self.name.replace("_", " ").capitalize()

    @property
    def shown(self) -> str:
        return "yes" if self.value == "on" else self.value

    @property
    def is_seen(self) -> bool:
        return self.name not in UNSEEN and bool(self.value)


@dataclass(frozen=True, slots=True)
class KeptForm:
    to: str  # the address it was sent to
    page: str  # the page it was sent from
    fields: list[Field]
    left_out: list[Field]  # secrets, by their names alone


def keep(request: HttpRequest, user_id: int) -> str | None:
    """Where that person finds it again. None: it is not kept, with a file or too large."""
    fields = [(name, value) for name in request.POST if name != GUARD for value in request.POST.getlist(name)]
    form = {
        "to": request.get_full_path(),
        "page": page_of(request),
        "fields": [(name, value) for name, value in fields if name not in SECRETS],
        "left_out": [name for name, _ in fields if name in SECRETS],
    }
    text = json.dumps(form)
    if request.FILES or len(text) > LARGEST:
        return None
    name = secrets.token_urlsafe(16)
    cache.set(_key(name), _box(user_id).encrypt(text.encode()).decode(), timeout=MINUTES * 60)
    return reverse("kept_form", args=[name])


def find(name: str, user_id: int) -> KeptForm | None:
    """None: there is none (any more), or it is somebody else's."""
    sealed = cache.get(_key(name))
    if not isinstance(sealed, str):
        return None
    try:
        form = json.loads(_box(user_id).decrypt(sealed.encode()))
    except InvalidToken:
        return None
    return KeptForm(
        form["to"],
        form["page"],
        [Field(name, value) for name, value in form["fields"]],
        [Field(name, "") for name in form["left_out"]],
    )


def page_of(request: HttpRequest) -> str:
    """The page that a form was sent from, when it is one of ours; else the start."""
    came_from = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(came_from, {request.get_host()}, require_https=request.is_secure()):
        return "/"
    return urlsplit(came_from).path


def _key(name: str) -> str:
    return f"kept-form:{name[:64]}"


def _box(user_id: int) -> Fernet:
    key = f"portal.kept-form|{user_id}|{settings.SECRET_KEY}"
    return Fernet(urlsafe_b64encode(sha256(key.encode()).digest()))
