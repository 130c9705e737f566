"""Where one is signed in, and an end to it elsewhere. It is one's own: no membership is needed."""

from __future__ import annotations

from datetime import timedelta
from typing import cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from customers.models import User
from customers.words import counted
from portal import sessions
from portal.access import open_page


@require_GET
@open_page
def own_sessions(request: HttpRequest) -> HttpResponse:
    now, access = timezone.now(), getattr(request, "access", None)
    own = sessions.sessions_of(request, access, now=now)
    idle, in_all = (_lasting(limit) for limit in sessions.limits_of(access))
    context = {"sessions": own, "others": len(own) - 1, "idle": idle, "in_all": in_all, "now": now}
    return render(request, "account/sessions.html", context)


def _lasting(limit: timedelta) -> str:
    return counted(limit.days, "day") if limit.days > 1 else counted(int(limit.total_seconds() // 3600), "hour")


@require_POST
@open_page
def session_end(request: HttpRequest, name: str) -> HttpResponse:
    if not sessions.end(cast("User", request.user), name, besides=request.session.session_key):
        raise Http404
    messages.success(request, "That session has ended.")
    return redirect("own_sessions")


@require_POST
@open_page
def sessions_end_others(request: HttpRequest) -> HttpResponse:
    ended = sessions.end_others(cast("User", request.user), besides=request.session.session_key)
    messages.success(request, f"{counted(ended, 'other session')} ended. You are signed in here only.")
    return redirect("own_sessions")
