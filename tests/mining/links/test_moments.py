"""When a link was made: ours when it was asked for, those of others when the pool made them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mining.models import WatcherLink
from tests.mining.hosting import Hosting
from tests.mining.links.watching import watched


def test_a_link_of_ours_keeps_the_moment_at_which_it_was_asked_for(north: Hosting) -> None:
    account = watched(north)
    asked = account.issue("dashboard")
    north.pool.clock(now=account.now - timedelta(minutes=3))  # the pool's clock is behind

    link = account.settle(asked)

    assert (link.state, link.created_at) == (WatcherLink.State.ACTIVE, account.now)
    account.sync()
    assert account.link(link).created_at == account.now


def test_a_link_that_was_made_outside_has_the_pools_moment(north: Hosting) -> None:
    account = watched(north)
    north.pool.clock(now=account.now - timedelta(hours=3))
    account.outside()

    account.sync()

    (link,), (true,) = account.links(), account.at_pool()
    assert link.created_at == datetime.fromisoformat(true["created_at"]).astimezone(UTC)
