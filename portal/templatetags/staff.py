"""What staff's templates ask about the person who looks."""

from django import template
from django.urls import reverse

from billing.holds.drafts import Hold
from portal.access import may as may_do

register = template.Library()


@register.simple_tag(takes_context=True)
def may(context: template.Context, act: str) -> bool:
    """{% may "issue" as may_issue %}: whether this person's role may do it. The view checks it again."""
    request = context.get("request")
    return may_do(getattr(request, "access", None), act)


# Of the customer's page. What is not here is settled by closing the month again.
PARTS = {"hold.payout_drifting": "#payout", "hold.misdirected": "#misdirected"}


@register.filter
def settled_at(hold: Hold) -> str:
    """The page where a person settles a hold, or nothing."""
    part = PARTS.get((hold.first or hold).code)
    return reverse("staff:customer", args=[hold.document.customer.code]) + part if part else ""


@register.filter
def thousands(count: int) -> str:
    return f"{count:,}"
