"""When we really read an account. Outside of it the answer is unknown."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from mining.models.series import SeriesModel


class Covered(models.TextChoices):
    """What is read of an account, each at a pace of its own."""

    COUNTS = "counts"  # miners/info
    NAMES = "names"  # workers/names
    POINTS_5M = "5m"
    POINTS_1H = "1h"
    POINTS_24H = "24h"


class Span(SeriesModel):
    """From a first reading to a last one, with none of those between them missing."""

    subject = models.CharField(max_length=8, choices=Covered)
    from_at = models.DateTimeField()
    until_at = models.DateTimeField()

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(condition=Q(from_at__lte=F("until_at")), name="%(app_label)s_%(class)s_in_order")
        ]


class OpenCoverage(Span):
    """The span that goes on: `until_at` is the newest reading. Narrow, and its index never changes, so that a reading
    without news costs one update in place."""

    pk = models.CompositePrimaryKey("provider_id", "subject", "mining_account_id")

    updatable: ClassVar[tuple[str, ...] | None] = ("from_at", "until_at")


class Coverage(Span):
    """A span that has ended."""

    pk = models.CompositePrimaryKey("provider_id", "subject", "mining_account_id", "from_at")

    updatable: ClassVar[tuple[str, ...] | None] = ()
