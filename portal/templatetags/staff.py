"""What staff's templates ask about the person who looks."""

from django import template
from django.urls import reverse

from billing.holds.drafts import Hold
from customers.profile import profile_of
from portal.access import may as may_do
from portal.look import Look, look_of

register = template.Library()


@register.simple_tag(takes_context=True)
def may(context: template.Context, act: str) -> bool:
    """{% may "issue" as may_issue %}: whether this person's role may do it. The view checks it again."""
    request = context.get("request")
    return may_do(getattr(request, "access", None), act)


@register.simple_tag(takes_context=True)
def provider_look(context: template.Context) -> Look:
    """The colour and the logo of whoever's pages these are. Asked for in two blocks of a page, read once."""
    request = context["request"]
    if not hasattr(request, "provider_look"):
        access = request.access
        request.provider_look = look_of(access.provider, profile_of(access)) if access else Look()
    look: Look = request.provider_look
    return look


# Of the customer's page. What is not here is settled by closing the month again.
PARTS = {"hold.payout_drifting": "#payout", "hold.misdirected": "#misdirected"}


@register.filter
def settled_at(hold: Hold) -> str:
    """The page where a person settles a hold, or nothing."""
    first = hold.first or hold
    if first.code == "hold.incomplete":
        return reverse("staff:document", args=[first.document.code]) + "#left-out"
    part = PARTS.get(first.code)
    return reverse("staff:customer", args=[hold.document.customer.code]) + part if part else ""
