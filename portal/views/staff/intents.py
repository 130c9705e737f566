"""An act at the pool whose answer was lost for good: a person looks there, and says what became of it."""

from __future__ import annotations

from typing import NamedTuple

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_POST

from mining import intents
from mining.errors import Refused
from mining.models import PoolIntent
from portal.access import AccessRequest, may, staff_page
from portal.views.lookup import the
from portal.views.staff.responses import do

Kind = PoolIntent.Kind


class Decision(NamedTuple):
    needs: str  # the act that the person must be allowed to do
    yes: str
    no: str


ACCOUNT = Decision("onboard", "It is being taken over.", "It is settled. Give the customer another account.")
DECISIONS = {
    Kind.CREATE_ACCOUNT: ACCOUNT,
    Kind.ADOPT_ACCOUNT: ACCOUNT,
    Kind.CREATE_LINK: Decision("links", "It is looked up at the pool.", "It is settled: the link was not made."),
    Kind.EDIT_PAYOUT: Decision("payouts", "It is looked up at the pool.", "It is settled: nothing was changed."),
}


@staff_page("decide")
@require_POST
def intent_decide(request: AccessRequest, code: str) -> HttpResponse:
    intent = the(PoolIntent.objects.visible_to(request.access).select_related("customer", "provider"), code)
    decision, answer = DECISIONS[Kind(intent.kind)], request.POST.get("ours")

    def decide() -> str:
        if not may(request.access, decision.needs):
            raise Refused(f"Your role here ({request.access.role}) may not decide this. Ask an owner.")
        if answer not in ("yes", "no"):
            raise Refused("Say whether it is at the pool: yes or no.")
        intents.decide_intent(request.access, intent, ours=answer == "yes", now=timezone.now())
        return decision.yes if answer == "yes" else decision.no

    return do(request, decide, "staff:customer", intent.customer.code)
