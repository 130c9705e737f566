"""Watcher links: pages of a customer's account at the pool. The web asks for them, workers make them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib import messages
from django.db.models import Case, Count, DateTimeField, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from customers.models import Customer
from customers.tenancy import Access
from mining import queries as mining
from mining.links import issuing
from mining.links import room as link_room
from mining.links.rules import ENDS_SOON
from mining.models import MiningAccount, PoolIntent, WatcherLink
from mining.models.links import NEVER_ENDS, WatcherLinkQuerySet
from portal.access import AccessRequest, may, staff_page
from portal.forms.links import LinkForm
from portal.forms.staff import CustomerFilter
from portal.views.lookup import the
from portal.views.paging import asked_for, keyset
from portal.views.staff.responses import accepted, answer, do
from portal.views.staff.search import customers_found
from portal.views.watcher_links import link_row

State = WatcherLink.State
# What is over, also what vanished before its end, stays in sight for a day: whoever asks why a page is gone finds it,
# and so does who waits for a new one.
NEWS = timedelta(days=1)
FEW = 5  # earlier links on a customer's page
FOREVER = datetime(9999, 1, 1, tzinfo=UTC)


# --- All of them


@staff_page("read")
@require_GET
def links(request: AccessRequest) -> HttpResponse:
    access, now = request.access, timezone.now()
    form = CustomerFilter(request.GET or None)
    words = form.cleaned_data["q"] if form.is_valid() else ""
    everything = WatcherLink.objects.visible_to(access)
    matching = _matching(_present(everything, now=now), access, words)
    page = keyset(asked_for(form, _by_end(matching)), request.GET.get("after"), order=("ends", "pk"))
    context = {
        "rows": [link_row(link, now=now) for link in page.rows],
        "after": page.after,
        "shown": page.shown,
        "form": form,
        "words": words,
        # One that shows several accounts stands once for each of them, and is one link.
        **everything.live(now).aggregate(
            count=Count("pool_id", distinct=True),
            soon=Count("pool_id", distinct=True, filter=Q(live_until__lte=now + ENDS_SOON)),
            forever=Count("pool_id", distinct=True, filter=Q(live_until=None)),
        ),
    }
    return render(request, "staff/links.html", context)


def _present(links: WatcherLinkQuerySet, *, now: datetime) -> WatcherLinkQuerySet:
    """Those that are there, come, or went within the last day, and those whose renewal needs a person."""
    since = now - NEWS
    active = Q(state=State.ACTIVE) & (NEVER_ENDS | Q(live_until__gt=since))
    gone = Q(state=State.GONE, ended_at__gt=since)
    failed = Q(state=State.FAILED, created_at__gt=since)
    wanting = Q(pk__in=link_room.not_renewed(links, now=now).values("pk"))
    return links.filter(active | gone | failed | wanting | Q(state__in=[State.CREATING, State.UNKNOWN]))


def _matching(links: WatcherLinkQuerySet, access: Access, words: str) -> WatcherLinkQuerySet:
    """By what staff know of the customer; those of an account without one by the account's name."""
    if not words:
        return links
    return links.filter(Q(customer__in=customers_found(access, words)) | Q(mining_account__name__icontains=words))


def _by_end(links: QuerySet[WatcherLink]) -> QuerySet[WatcherLink]:
    """First those of which nobody knows an end yet, then by their end; last those that never end."""
    settled = When(state=State.ACTIVE, then=Coalesce("live_until", Value(FOREVER), output_field=DateTimeField()))
    return links.annotate(ends=Case(settled, default=F("created_at"))).select_related("customer", "mining_account")


# --- Those of one customer


def links_part(access: Access, customer: Customer, *, now: datetime) -> dict[str, Any]:
    """What refreshes itself while a link is being made."""
    account = mining.account_of(access, customer)
    own = WatcherLink.objects.visible_to(access).filter(mining_account=account).order_by("-pk")
    present = list(_with_intents(_present(own, now=now), access))
    rows = [link_row(link, now=now) for link in present]
    return {
        "customer": customer,
        "account": account,
        "links": rows,
        "earlier": [link_row(link, now=now) for link in own.exclude(pk__in=[link.pk for link in present])[:FEW]],
        "room": account and link_room.room(access, account, now=now),
        "making": any(row.is_watched for row in rows),
    }


def _with_intents(links: QuerySet[WatcherLink], access: Access) -> QuerySet[WatcherLink]:
    """Each with the code of the intent that is to make it, for the person who decides what became of it."""
    intents = PoolIntent.objects.visible_to(access).filter(watcher_link=OuterRef("pk"))
    return links.annotate(intent_code=Subquery(intents.values("code")[:1])).select_related("successor")


@staff_page("read")
@require_GET
def customer_links(request: AccessRequest, code: str) -> HttpResponse:
    customer = _customer(request, code)
    if not request.headers.get("HX-Request"):
        return redirect(_page_of(customer))
    return render(request, "staff/_customer_links.html", links_part(request.access, customer, now=timezone.now()))


# --- Acts


@staff_page("links")
@require_http_methods(["GET", "POST"])
def customer_link_new(request: AccessRequest, code: str) -> HttpResponse:
    """The form; one more page for a link that never ends; then a worker is asked to make it."""
    access, now = request.access, timezone.now()
    customer = _customer(request, code)
    account = mining.account_of(access, customer)
    if account is None:
        sentence = f"{customer.name} has no mining account that a link could show."
        return answer(request, messages.ERROR, sentence, _page_of(customer))
    form = LinkForm(request.POST or None, forever=may(access, "links_forever"))
    confirmed = request.POST.get("confirmed") == "forever"
    context = {"form": form, "customer": customer, "account": account}
    if request.method == "POST" and form.is_valid() and form.is_forever and not confirmed:
        return render(request, "staff/customer_link_forever.html", context)
    made: list[WatcherLink] = []

    def issue() -> None:
        made.append(issuing.issue_link(access, account, **form.cleaned_data, forever_confirmed=confirmed, now=now))

    if request.method == "POST" and accepted(form, issue):
        return answer(request, messages.SUCCESS, _in_words(made[0]), _page_of(customer))
    context["room"] = link_room.room(access, account, now=now)
    return render(request, "staff/customer_link_new.html", context)


def _in_words(link: WatcherLink) -> str:
    if link.state == State.ACTIVE:
        return "There is a link that shows the same and lives long enough: hand that one on."
    return "A worker asks the pool for the link. It appears below within a minute."


@staff_page("links")
@require_POST
def link_renew(request: AccessRequest, code: str) -> HttpResponse:
    link, account = _link(request, code)
    confirmed = request.POST.get("confirmed") == "early"

    def renew() -> str:
        new = issuing.renew_link(request.access, link, early_confirmed=confirmed, now=timezone.now())
        return _in_words(new)

    return do(request, renew, _page_of(account.customer))


@staff_page("links")
@require_POST
def link_renewal(request: AccessRequest, code: str) -> HttpResponse:
    link, account = _link(request, code)
    renews = request.POST.get("renews") == "yes"

    def change() -> str:
        now = timezone.now()
        issuing.set_renewal(request.access, link, renews=renews, now=now)
        if not renews:
            return "This link ends and no new one is made."
        if link.pk in link_room.room(request.access, account, now=now).renewed_late:
            return "A new link is made once this one has ended: no place is free for it before that."
        return "A new link is made before this one ends."

    return do(request, change, _page_of(account.customer))


def _link(request: AccessRequest, code: str) -> tuple[WatcherLink, MiningAccount]:
    links = WatcherLink.objects.visible_to(request.access).select_related("mining_account__customer")
    link = the(links, code)
    return link, link.mining_account


def _customer(request: AccessRequest, code: str) -> Customer:
    return the(Customer.objects.visible_to(request.access), code)


def _page_of(customer: Customer | None) -> str:
    """Where a customer's links are; those of an account that has none are only in the list."""
    return f"{reverse('staff:customer', args=[customer.code])}#links" if customer else reverse("staff:links")
