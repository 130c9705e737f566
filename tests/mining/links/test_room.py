"""How many links an account has: those that nobody can read count too, and the pool's refusal is believed at once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mining.links import renewal
from mining.models import MiningAccount, QuarantinedRecord, SyncRun, WatcherLink
from tests.mining.hosting import Hosting, writes, written_between
from tests.mining.links.watching import Watched, watched
from tests.refusals import refused

State = WatcherLink.State
TOO_LONG = "n" * 300
LAG_S = 900  # longer than any machine takes from a link to the list


@pytest.fixture
def account(north: Hosting) -> Watched:
    return watched(north)


def quarantine(account: Watched) -> list[tuple[str, str]]:
    with account.hosting.context():
        return list(QuarantinedRecord.objects.order_by("reason").values_list("account_name", "reason"))


# --- Made outside, and not to be read


def test_a_link_that_cannot_be_read_is_told_once_and_goes_on_counting(account: Watched) -> None:
    account.outside(name=TOO_LONG)
    account.outside(name="two\nlines", live_until="1h")

    first, second = account.sync(), account.sync()

    assert (first.state, first.quarantined) == (SyncRun.State.PARTIAL, 2)
    assert first.error == "A watcher link of south could not be read."
    assert (second.state, second.quarantined, second.error) == (SyncRun.State.OK, 2, "")
    assert quarantine(account) == [("south", "data.name: forbidden_character"), ("south", "data.name: too_long")]
    assert (account.room().used, account.room().unseen) == (2, 2)


def test_another_one_is_told_and_one_that_has_ended_takes_no_room_any_more(account: Watched) -> None:
    account.outside(name=TOO_LONG, live_until="1h")
    account.sync()
    account.outside(name=TOO_LONG)
    assert account.sync().state == SyncRun.State.PARTIAL
    assert account.room().used == 2

    account.later(hours=2)

    assert account.sync().state == SyncRun.State.OK
    assert account.room().used == 1


def test_one_that_shows_two_accounts_is_put_aside_once(account: Watched) -> None:
    account.outside(name=TOO_LONG, accounts=["south", "alpha_east"])
    assert account.sync().quarantined == 1
    assert len(quarantine(account)) == 1


def test_reading_one_that_cannot_be_read_again_writes_nothing(account: Watched) -> None:
    account.outside(name=TOO_LONG)
    account.sync()
    before = writes()

    account.sync()

    assert set(written_between(before, writes())) == {"mining_syncrun"}


def test_links_that_cannot_be_read_fill_the_cap_like_any_other(account: Watched) -> None:
    for _ in range(3):
        account.outside(name=TOO_LONG)
    failed = account.settle(account.issue())

    assert failed.problem.startswith("The account 'south' has 3 active watcher links at the pool")
    assert "watcher-links/create" not in account.hosting.pool.calls()
    with refused("link.no_room"):
        account.issue()


def test_one_that_cannot_be_read_holds_a_place_for_minutes_and_not_until_the_next_reading(account: Watched) -> None:
    """Nobody knows when it ends, and the next reading is a day away."""
    link = account.made(renews=True)
    account.later(days=6, minutes=5)
    account.outside(live_until="7d")
    account.outside(name=TOO_LONG, live_until="1h")
    account.sync()
    with account.hosting.context():
        counted = MiningAccount.objects.filter(pk=account.account.pk)
        counted.update(links_read_at=account.now)  # the sync asks by this machine's clock
    provider = account.hosting.provider.pk
    assert (account.room().used, account.room().is_full) == (3, True)
    assert renewal.renew_due(provider, now=account.now) == 0
    assert "The pool alone knows 1 of them, as of 20" in account.link(link).problem

    account.later(hours=3)  # and nothing was read since
    assert (account.room().used, account.room().is_full, account.room().counted_at is None) == (3, False, False)
    assert renewal.renew_due(provider, now=account.now) == 1
    successor = account.link(link).successor
    assert successor is not None
    assert account.settle(successor).state == State.ACTIVE


def test_a_renewal_that_one_of_them_stopped_is_made_at_the_end_whatever_the_pause(account: Watched) -> None:
    link = account.made(renews=True)
    account.outside()
    account.outside(name=TOO_LONG)
    account.later(days=6, hours=1)
    for hours in (0, 1, 2, 4, 8):
        assert renewal.renew_due(account.hosting.provider.pk, now=account.later(hours=hours)) == 1
        successor = account.link(link).successor
        assert successor is not None
        assert account.settle(successor).state == State.FAILED
    assert account.hosting.pool.calls()["watcher-links/create"] == 1  # each look told it, so that nothing was called

    at_end = account.later(hours=8, minutes=5)
    assert renewal.renew_due(account.hosting.provider.pk, now=at_end) == 1
    assert account.settle(account.links()[-1]).state == State.ACTIVE


# --- The pool's own refusal


def test_a_refusal_is_followed_by_a_reading_of_that_account_and_the_count_is_right(account: Watched) -> None:
    for _ in range(3):
        account.outside(live_until="1h")
    account.hosting.pool.fault("lagging_list", endpoint="watcher-links/list", seconds=LAG_S, times=1)

    failed = account.settle(account.issue())

    assert (failed.state, account.hosting.pool.calls()["watcher-links/create"]) == (State.FAILED, 1)
    room = account.room()
    assert (room.used, room.unseen, len(account.links(origin="pool"))) == (3, 0, 3)
    assert room.next_end_at is not None
    assert room.counted_at is not None and room.counted_at >= account.now
    with refused("link.no_room"):
        account.issue()


def test_a_refusal_counts_although_the_list_lags(account: Watched) -> None:
    for _ in range(2):
        account.outside()
    account.hosting.pool.clock(advance_seconds=2 * LAG_S)
    account.outside(live_until="1h")
    account.hosting.pool.fault("lagging_list", endpoint="watcher-links/list", seconds=LAG_S)

    assert account.settle(account.issue()).state == State.FAILED

    assert (account.room().used, account.room().unseen) == (3, 1)
    account.hosting.pool.clear_faults()
    account.sync()
    assert (account.room().used, account.room().unseen) == (3, 0)


def test_a_refusal_does_not_count_twice_what_we_made_and_the_list_does_not_show_yet(account: Watched) -> None:
    account.hosting.pool.fault("lagging_list", endpoint="watcher-links/list", seconds=LAG_S)
    account.made("rewards")
    account.made("workers")
    account.outside()

    assert account.settle(account.issue()).state == State.FAILED

    assert (account.room().used, account.room().unseen) == (3, 1)
    with refused("link.no_room"):
        account.issue()


def test_no_more_is_shown_than_the_pool_allows(account: Watched) -> None:
    with account.hosting.context():
        MiningAccount.objects.filter(pk=account.account.pk).update(links_unseen=3)
    account.issue()
    assert (account.room().used, account.room().unseen) == (3, 2)


def test_a_refusal_is_settled_although_the_pool_cannot_be_read_then(account: Watched) -> None:
    for _ in range(3):
        account.outside()
    account.hosting.pool.fault("empty_listing", endpoint="watcher-links/list", times=1)
    account.hosting.pool.fault("captive_page", endpoint="watcher-links/list", skip=1)

    failed = account.settle(account.issue())

    assert (failed.state, failed.problem[:38]) == (State.FAILED, "The account 'south' has 3 active watch")


def test_the_count_tells_how_old_it_is(account: Watched) -> None:
    assert account.room().counted_at is None
    account.sync()
    counted_at = account.room().counted_at
    assert counted_at is not None
    assert counted_at - account.now < timedelta(minutes=1)
