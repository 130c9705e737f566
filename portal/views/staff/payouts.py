"""Where a customer's rewards go: agreed beside what the pool says, and what a person may agree to, end or approve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from billing.holds import misdirected
from customers.models import Customer
from customers.tenancy import Access
from customers.words import agreeing
from mining import queries as mining
from mining.models import MiningAccount, PoolIntent
from mining.payouts import agreements
from mining.payouts import views as payout_views
from portal import second_factor
from portal.access import AccessRequest, staff_page
from portal.templatetags.units import UNKNOWN, plain_date
from portal.views.lookup import the
from portal.views.staff.responses import answer, do

IntentState = PoolIntent.State


def payout_part(access: Access, customer: Customer, account: MiningAccount | None, *, now: datetime) -> dict[str, Any]:
    if account is None:
        return {"payout": None, "payout_change": None, "misdirected": []}
    changes = PoolIntent.objects.visible_to(access).filter(
        mining_account=account,
        kind=PoolIntent.Kind.EDIT_PAYOUT,
        state__in=[IntentState.PLANNED, IntentState.CALLED, IntentState.UNKNOWN],
    )
    return {
        "payout": payout_views.payout_view(access, account),
        "payout_change": changes.order_by("-pk").first(),  # our own change of it, until it is settled
        "misdirected": misdirected.of_customer(access, customer, now=now).rewards,
    }


# --- What a person agrees to, ends or lets pass


@dataclass(frozen=True, slots=True)
class Act:
    """What its page shows before it is done, and what does it; `do` says what came of it."""

    template: str
    shown: dict[str, Any]
    do: Callable[[], str]


def payout_act(view: Callable[[AccessRequest, Customer, datetime], Act | str]) -> Callable[..., HttpResponse]:
    """A page that says the exact effect, then the act on just what was shown: both only with a fresh second factor.

    The view answers with the act, or with a sentence when there is nothing to do.
    """

    @staff_page("payouts")
    @require_http_methods(["GET", "POST"])
    @second_factor.required
    @wraps(view)
    def page(request: AccessRequest, code: str) -> HttpResponse:
        now = timezone.now()
        customer = the(Customer.objects.visible_to(request.access), code)
        act, back = view(request, customer, now), f"{reverse('staff:customer', args=[customer.code])}#payout"
        if isinstance(act, str):
            return answer(request, messages.INFO, act, back)
        if request.method == "GET":
            return render(request, act.template, {"customer": customer, "now": now, **act.shown})
        return do(request, act.do, back)

    return page


@payout_act
def payout_accept(request: AccessRequest, customer: Customer, now: datetime) -> Act | str:
    """A person agrees to the pool's payout destination, shown with its whole address."""
    access = request.access
    account = mining.account_of(access, customer)
    if account is None or account.payout_drift_since is None:
        return "The pool pays as agreed: there is nothing to accept."

    payout = payout_views.payout_view(access, account)

    def accept() -> str:
        # As it was shown: what has changed since is refused.
        destination, address = request.POST.get("destination", ""), request.POST.get("address") or None
        agreements.accept(access, account, destination=destination, address=address, now=now)
        return f"Agreed to what the pool said on {_minute(payout.read_at)}. Closing and paying {customer.name} goes on."

    return Act("staff/payout_accept.html", {"account": account, "payout": payout}, accept)


def _minute(read_at: datetime | None) -> str:
    return f"{plain_date(read_at)}, {read_at.astimezone(UTC):%H:%M} UTC" if read_at else UNKNOWN


@payout_act
def payout_end_alarm(request: AccessRequest, customer: Customer, now: datetime) -> Act | str:
    """For an account that the pool does not answer for any more: no reading can end its drift."""
    access = request.access
    account = mining.account_of(access, customer)
    if account is None or account.payout_drift_since is None:
        return "There is no alarm to end."
    if not agreements.is_lost(account):
        return "This alarm ends by itself with a reading, or when you accept. It cannot be ended by hand."

    def end() -> str:
        agreements.end_alarm(access, account, now=now)
        return f"The alarm has ended. Closing and paying {customer.name} goes on."

    shown = {"account": account, "payout": payout_views.payout_view(access, account)}
    return Act("staff/payout_end_alarm.html", shown, end)


@payout_act
def approve_misdirected(request: AccessRequest, customer: Customer, now: datetime) -> Act | str:
    """Shows each reward with where it was paid, then bills just these all the same."""
    access = request.access
    waiting = misdirected.of_customer(access, customer, now=now)
    if not waiting.rewards:
        return str(misdirected.nothing_misdirected())

    def approve() -> str:
        count = misdirected.approve(access, customer, seen_as=request.POST.get("seen_as", ""), now=now)
        return f"Approved. {agreeing(count, 'It is', 'They are')} billed to {customer.name} like all others."

    shown = {
        "misdirected": waiting.rewards,
        "seen_as": waiting.seen_as,
        "places": {reward.payout_destination for reward in waiting.rewards},
        "on_drafts": bool(misdirected.on_drafts(access, customer)),
    }
    return Act("staff/approve_misdirected.html", shown, approve)
