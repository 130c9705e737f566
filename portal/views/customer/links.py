"""The customer's watcher links: pages at the pool that they can hand on. Their provider makes them."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from mining.links import room as pool_links
from mining.models import WatcherLink
from portal.access import AccessRequest, customer_page
from portal.views.customer.frame import frame_of

# An account has three at the pool at most; more rows than that would be an error of ours or the pool's.
MOST_SHOWN = 20


@customer_page()
@require_GET
def links(request: AccessRequest) -> HttpResponse:
    access, now = request.access, timezone.now()
    # One that shows other customers' accounts too was made outside the portal, and is for staff to see to.
    own = WatcherLink.objects.visible_to(access).filter(shows_others=False)
    frame = frame_of(access, now=now)
    context = {
        "now": now,
        "frame": frame,
        "room": frame.account and pool_links.room(access, frame.account, now=now),
        "links": list(own.live(now).select_related("successor").order_by("-pk")[:MOST_SHOWN]),
    }
    return render(request, "customer/links.html", context)
