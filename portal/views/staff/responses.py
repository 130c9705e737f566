"""How acts answer: what was done as a message on the page one comes from, and what was refused as one sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html

from customers.errors import Refused

# Where one acts on a refusal that is settled on another page: its name, and the words of the link.
KEYS = ("staff:keys", "Pool keys")
ACTED_ON = {
    "key.missing": KEYS,
    "key.none": KEYS,
    "key.none_active": KEYS,
    "key.not_checked": KEYS,
    "key.refused": KEYS,
}


def told(refusal: Refused) -> str:
    """The sentence, with a link where that helps."""
    if (place := ACTED_ON.get(refusal.code)) is None:
        return str(refusal)
    page, words = place
    return format_html('{} <a href="{}">{}</a>', refusal, reverse(page), words)


def do(request: HttpRequest, act: Callable[[], str], to: str, *arguments: str) -> HttpResponse:
    """For buttons: call it, say what came of it, and go to the page `to`."""
    try:
        with transaction.atomic():  # what is refused half-way leaves nothing behind
            sentence = act()
    except Refused as refusal:
        return answer(request, messages.ERROR, told(refusal), to, *arguments)
    return answer(request, messages.SUCCESS, sentence, to, *arguments)


def answer(request: HttpRequest, level: int, sentence: str, to: str, *arguments: str) -> HttpResponse:
    """Says it on the page `to`, at the top and in focus. When `to` is a part of that page the sentence leads there:
    a browser that opened the page at the part would leave the sentence out of sight."""
    page, _, part = to.partition("#")
    messages.add_message(request, level, sentence, extra_tags=part)
    return redirect(page, *arguments)


def accepted(form: Form, act: Callable[[], Any]) -> bool:
    """For forms: whether the input held and the act was done. A refusal is told by the form itself."""
    if not form.is_valid():
        return False
    try:
        with transaction.atomic():
            act()
    except Refused as refusal:
        form.add_error(None, told(refusal))
        return False
    return True


def fragment(request: HttpRequest, page: str, part: str, context: dict[str, Any]) -> HttpResponse:
    """The page, or only its part that refreshes itself while something is under way."""
    return render(request, part if request.headers.get("HX-Request") else page, context)
