"""An act at the pool whose answer was lost for good: a person looks there, and says what became of it."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_POST

from customers.errors import Refused
from mining import intents
from mining.models import PoolIntent
from portal.access import AccessRequest, may, staff_page
from portal.views.lookup import the
from portal.views.staff.responses import do


@staff_page("decide")
@require_POST
def intent_decide(request: AccessRequest, code: str) -> HttpResponse:
    intent = the(PoolIntent.objects.visible_to(request.access).select_related("customer", "provider"), code)
    act, answer = intents.ACTS[intent.kind], request.POST.get("ours")

    def decide() -> str:
        if not may(request.access, act.decided_by):
            raise Refused(
                "Your role here (%(role)s) may not decide this. Ask an owner.",
                code="intent.not_allowed",
                params={"role": request.access.role},
            )
        if answer not in ("yes", "no"):
            raise Refused("Say whether it is at the pool: yes or no.", code="intent.unanswered")
        intents.decide_intent(request.access, intent, ours=answer == "yes", now=timezone.now())
        return act.answer_if_ours if answer == "yes" else act.answer_if_not

    return do(request, decide, "staff:customer", intent.customer.code)
