"""Where a request comes from: one answer for limits, logs and mails."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

IPV6_NETWORK_BITS = 64  # what one household or one rented server has to itself
UNKNOWN = "unknown"
UNSPECIFIED = "0.0.0.0"  # noqa: S104 - nothing listens here: it stands for UNKNOWN where only an address may stand


def address_of(request: HttpRequest) -> str:
    """The visitor's address as the outermost proxy of ours saw it.

    Each proxy adds at the right end whom it heard; what stands left of our own entries the visitor may have written.
    Fewer entries than proxies: the request did not come through all of them, and only who is connected is known.
    """
    proxies = settings.TRUSTED_PROXY_COUNT
    heard = [word for word in request.headers.get("X-Forwarded-For", "").split(",") if word.strip()]
    if 0 < proxies <= len(heard):
        return _clean(heard[-proxies])
    return _clean(request.META.get("REMOTE_ADDR", ""))


def network_of(request: HttpRequest) -> str:
    """What counts as one visitor where guesses are counted: an IPv4 address, or the /64 of an IPv6 address."""
    address = address_of(request)
    if ":" in address:
        return str(ip_network(f"{address}/{IPV6_NETWORK_BITS}", strict=False))
    return address


def _clean(word: str) -> str:
    """Without a port, and an IPv4 address that came over IPv6 as itself: all of those are in one /64."""
    text = word.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return UNKNOWN
    if isinstance(address, IPv6Address):
        address = IPv6Address(address.packed)  # without the zone (%eth0), which is a word of the visitor's
        return str(address.ipv4_mapped or address)
    return str(address)
