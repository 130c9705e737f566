"""How a provider's pages look: its colour and its logo, by addresses that may be kept for ever."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from customers.models import Provider, ProviderLogo, ProviderProfile


@dataclass(frozen=True, slots=True)
class Look:
    css_url: str = ""
    logo_url: str = ""
    logo: ProviderLogo | None = None


def look_of(provider: Provider, profile: ProviderProfile | None) -> Look:
    if profile is None:
        return Look()
    return Look(_css_url(profile.brand_colour), logo_url(provider, profile.logo), profile.logo)


def _css_url(colour: str) -> str:
    return reverse("customer:brand", args=[colour.removeprefix("#")]) if colour else ""


def logo_url(provider: Provider, logo: ProviderLogo | None) -> str:
    """Open to everybody, as a logo is: mails and the page of an invitation show it to people who are nobody yet."""
    return reverse("customer:logo", args=[provider.code, logo.sha256]) if logo else ""
