"""What needs a person, whatever it is about: how it is told, and what of access itself does. No sentence or address.

The rooms above have their own (mining/attention.py, billing/attention.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from customers.models import ApiToken
from customers.tenancy import Access

# Before the last day of an API token, and as long after it: whoever made it may notice only by what stands still.
TOKEN_NEWS = timedelta(days=14)


class Severity(StrEnum):
    """The worst first."""

    DOWN = "down"
    UNKNOWN = "unknown"
    LOW = "low"
    INFO = "info"


class Code(StrEnum):
    TOKEN_ENDS = "token.ends"  # noqa: S105 - no secret
    TOKEN_ENDED = "token.ended"  # noqa: S105


@dataclass(frozen=True, kw_only=True)
class Attention:
    """One thing that needs a person, as far as the code alone says which. `since`: None where nobody knows."""

    code: StrEnum
    severity: Severity
    since: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class OfToken(Attention):
    token: ApiToken


def attention(access: Access, *, now: datetime) -> Iterator[Attention]:
    today = now.date()
    near = ApiToken.objects.visible_to(access).filter(
        revoked_at=None, ends_on__range=(today - TOKEN_NEWS, today + TOKEN_NEWS)
    )
    for token in near.order_by("ends_on", "pk"):
        code = Code.TOKEN_ENDED if token.has_ended(now) else Code.TOKEN_ENDS
        yield OfToken(code=code, severity=Severity.LOW, token=token)
