"""Logins for rows that a test makes by itself."""

from __future__ import annotations

from datetime import UTC, datetime

from customers.models import Provider
from mining.models import PoolLogin

MADE_AT = datetime(2026, 11, 4, 14, 32, tzinfo=UTC)


def login_of(provider: Provider, name: str = "main") -> PoolLogin:
    """Inside the provider's context."""
    login, _ = PoolLogin.objects.get_or_create(provider=provider, name=name, defaults={"created_at": MADE_AT})
    return login
