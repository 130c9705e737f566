"""What staff's templates ask about the person who looks."""

from django import template

from portal.access import may as may_do

register = template.Library()


@register.simple_tag(takes_context=True)
def may(context: template.Context, act: str) -> bool:
    """{% may "issue" as may_issue %}: whether this person's role may do it. The view checks it again."""
    request = context.get("request")
    return may_do(getattr(request, "access", None), act)


@register.filter
def thousands(count: int) -> str:
    return f"{count:,}"
