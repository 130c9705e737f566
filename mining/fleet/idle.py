"""Accounts where nobody mines cost few calls."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, OuterRef, Q

from mining.fleet.coverage import IDLE_AFTER, IDLE_PACE, PACE
from mining.models import Covered, OpenCoverage


def is_due(subject: Covered, *, now: datetime) -> Q:
    """All accounts but those that have been idle for a day and were read within the last half-hour."""
    # Half of a pace earlier: a run is seldom a whole number of paces after the one before it.
    lately = OpenCoverage.objects.filter(
        provider=OuterRef("provider"),
        mining_account=OuterRef("pk"),
        subject=subject,
        until_at__gt=now - IDLE_PACE + PACE[Covered.COUNTS] / 2,
    )
    return Q(idle_since=None) | Q(idle_since__gt=now - IDLE_AFTER) | ~Q(Exists(lately))
