"""Where a customer's rewards go: agreed beside what the pool says, and what a person may agree to, end or let pass."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from billing import held
from customers.models import Customer
from customers.tenancy import Access
from mining import payout as pool_payouts
from mining import queries as mining
from mining.models import MiningAccount, PoolIntent
from portal import second_factor
from portal.access import AccessRequest, staff_page
from portal.views.rows import the
from portal.views.staff.answers import answer, do

IntentState = PoolIntent.State


def payout_part(access: Access, found: Customer, account: MiningAccount | None) -> dict[str, Any]:
    if account is None:
        return {"payout": None, "payout_change": None, "strays": []}
    changes = PoolIntent.objects.visible_to(access).filter(
        mining_account=account,
        kind=PoolIntent.Kind.EDIT_PAYOUT,
        state__in=[IntentState.PLANNED, IntentState.CALLED, IntentState.UNKNOWN],
    )
    return {
        "payout": pool_payouts.payout_view(access, account),
        "payout_change": changes.order_by("-pk").first(),  # our own change of it, until it is settled
        "strays": held.strays_of(access, found).rewards,
    }


@staff_page("payouts")
@require_http_methods(["GET", "POST"])
def payout_accept(request: AccessRequest, code: str) -> HttpResponse:
    """Says the exact effect with the whole address, then agrees to just that."""
    access, now = request.access, timezone.now()
    found = the(Customer.objects.visible_to(access), code)
    if not second_factor.is_fresh(request, now=now):
        return second_factor.ask(request)
    account = mining.account_of(access, found)
    page = _page_of(found)
    if account is None or account.payout_drift_since is None:
        return answer(request, messages.INFO, "The pool pays as agreed: there is nothing to accept.", page)
    if request.method == "GET":
        context = {"customer": found, "account": account, "payout": pool_payouts.payout_view(access, account)}
        return render(request, "staff/payout_accept.html", context)

    def accept() -> str:
        # As it was shown: what has changed since is refused.
        destination, address = request.POST.get("destination", ""), request.POST.get("address") or None
        pool_payouts.accept(access, account, destination=destination, address=address, now=now)
        return f"Agreed. Closing and paying {found.name} goes on."

    return do(request, accept, page)


@staff_page("payouts")
@require_http_methods(["GET", "POST"])
def payout_end_alarm(request: AccessRequest, code: str) -> HttpResponse:
    """For an account that the pool does not answer for any more: no reading can end its drift."""
    access, now = request.access, timezone.now()
    found = the(Customer.objects.visible_to(access), code)
    if not second_factor.is_fresh(request, now=now):
        return second_factor.ask(request)
    account = mining.account_of(access, found)
    page = _page_of(found)
    if account is None or account.payout_drift_since is None or not pool_payouts.is_lost(account):
        return answer(request, messages.INFO, "There is no alarm that no reading could end.", page)
    if request.method == "GET":
        context = {"customer": found, "account": account, "payout": pool_payouts.payout_view(access, account)}
        return render(request, "staff/payout_end_alarm.html", context)

    def end() -> str:
        pool_payouts.end_alarm(access, account, now=now)
        return f"The alarm has ended. Closing and paying {found.name} goes on."

    return do(request, end, page)


@staff_page("payouts")
@require_http_methods(["GET", "POST"])
def payout_release(request: AccessRequest, code: str) -> HttpResponse:
    """Shows each reward with where it was paid, then bills just these all the same."""
    access, now = request.access, timezone.now()
    found = the(Customer.objects.visible_to(access), code)
    if not second_factor.is_fresh(request, now=now):
        return second_factor.ask(request)
    page = _page_of(found)
    strays = held.strays_of(access, found)
    if not strays.rewards:
        sentence = "No draft bills a reward that was paid where nobody had agreed to."
        return answer(request, messages.INFO, sentence, page)
    if request.method == "GET":
        context = {"customer": found, "strays": strays.rewards, "seen_as": strays.seen_as}
        return render(request, "staff/payout_release.html", context)

    def release() -> str:
        held.release(access, found, seen_as=request.POST.get("seen_as", ""), now=now)
        return f"Let pass. The drafts of {found.name} can be issued."

    return do(request, release, page)


def _page_of(found: Customer) -> str:
    return f"{reverse('staff:customer', args=[found.code])}#payout"
