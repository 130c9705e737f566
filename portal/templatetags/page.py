"""The frame of a page: icons and the navigation."""

from django import template
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
def icon(name: str) -> SafeString:
    """A drawing from icons.svg; always beside a word or inside a control with aria-label."""
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#i-{}"></use></svg>',
        static("portal/icons.svg"),
        name,
    )


@register.simple_tag(takes_context=True)
def nav_item(context: template.Context, to: str, symbol: str, label: str, count: int | None = None) -> SafeString:
    """A link of the side menu or the tabs; nothing where the page does not exist (yet)."""
    try:
        href = reverse(to)
    except NoReverseMatch:
        return SafeString("")
    return format_html(
        '<a href="{}"{}>{}{}{}</a>',
        href,
        _current(context.get("request"), href, exact=to.endswith(":overview")),
        icon(symbol) if symbol else "",
        label,
        _count(count),
    )


def _current(request: HttpRequest | None, href: str, *, exact: bool) -> SafeString:
    path = request.path if request else ""
    if path == href:
        return SafeString(' aria-current="page"')
    # /staff/customers/cus_…/ belongs to /staff/customers/; but everything is below an overview.
    below = not exact and path.startswith(href)
    return SafeString(' aria-current="true"' if below else "")


def _count(count: int | None) -> SafeString:
    return format_html('<span class="count">{}</span>', count) if count else SafeString("")
