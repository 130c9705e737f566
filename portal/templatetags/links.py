"""What a watcher link shows and how long it lives, in words."""

from datetime import datetime
from typing import NamedTuple

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from mining.models import LinkLifetime, LinkPermission
from portal.templatetags.units import ago, until

register = template.Library()


class Words(NamedTuple):
    name: str  # as the pool calls the page
    plain: str


PERMISSIONS = {
    LinkPermission.DASHBOARD: Words("Dashboard", "hashrate and machines in total"),
    LinkPermission.REWARDS: Words("Rewards", "earnings by day"),
    LinkPermission.WORKERS: Words("Workers", "each machine by name"),
}
LIFETIMES = {
    LinkLifetime.HOUR: "1 hour",
    LinkLifetime.DAY: "24 hours",
    LinkLifetime.WEEK: "7 days",
    LinkLifetime.ALWAYS: "For ever",
}


@register.filter
def shows(permissions: list[str]) -> str:
    """Dashboard, rewards and workers: in the pool's order, whatever order they came in."""
    *names, last = [words.name for permission, words in PERMISSIONS.items() if permission in permissions] or ["Nothing"]
    return (f"{', '.join(names)} and {last}" if names else last).capitalize()


@register.filter
def shows_plainly(permissions: list[str]) -> str:
    return ", ".join(words.plain for permission, words in PERMISSIONS.items() if permission in permissions)


@register.filter
def lives(lifetime: str) -> str:
    return LIFETIMES[LinkLifetime(lifetime)].lower()


@register.simple_tag
def expiry(live_until: datetime | None, now: datetime) -> SafeString:
    """Of a link that is, or was, active: there null means for ever."""
    if live_until is None:
        return format_html('<span class="tag">{}</span>', "never ends")
    if live_until <= now:
        return format_html("ended {}", ago(live_until, now))
    return format_html("ends {}", until(live_until, now))


@register.filter
def web_address(url: str | None) -> str:
    """The address where it is safe to open; else nothing. The pool client lets through only https: said again here."""
    return url if url and url.startswith("https://") else ""
