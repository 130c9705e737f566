"""How long a call may act, and how long a look must wait to prove something (mining/intents/__init__.py)."""

from __future__ import annotations

from datetime import timedelta

from mining.links.reconcile import LIST_LAGS
from mining.pool.limits.deadline import TOTAL_SECONDS

# The call goes out within this, or not at all.
CALL_DEADLINE_SECONDS = 5.0
CLOCKS_DIFFER = timedelta(seconds=5)  # those of two workers, or a worker's and the pool's
# By our clock or the pool's, whatever a call does is done so long after it was claimed.
ACTS_WITHIN = timedelta(seconds=CALL_DEADLINE_SECONDS + TOTAL_SECONDS) + CLOCKS_DIFFER
CERTAIN_AFTER = ACTS_WITHIN + LIST_LAGS
# One empty answer of a pool in trouble proves nothing: a second look, so much later, has to say the same.
LOOKS_APART = timedelta(seconds=3)
UNKNOWN_AFTER = timedelta(seconds=60)
