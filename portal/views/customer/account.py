"""Who I am here, who else is, what was agreed, and whom to ask."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from billing.queries import terms_on
from billing.words import terms_in_words
from customers.models import MemberKind, Membership
from portal.access import AccessRequest, customer_page
from portal.views.customer.frame import customer_of, drift_of, frame_of


@customer_page()
@require_GET
def account(request: AccessRequest) -> HttpResponse:
    access, now = request.access, timezone.now()
    customer = customer_of(access)
    frame = frame_of(access, now=now)
    terms = terms_on(access, customer, now.date())
    members = (
        Membership.objects.visible_to(access)
        .filter(kind=MemberKind.CUSTOMER, is_active=True)
        .select_related("user")
        .order_by("user__name", "pk")
    )
    context = {
        "now": now,
        "frame": frame,
        "drift": drift_of(access, frame),
        "customer": customer,
        "members": list(members),
        "terms": terms,
        "terms_words": terms and terms_in_words(terms.share_ppm, terms.basis, terms.pool_fee_borne_by),
    }
    return render(request, "customer/account.html", context)
