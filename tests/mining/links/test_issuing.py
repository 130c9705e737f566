"""Watcher links: issued once, handed out again, and held against the pool's list."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from customers import tenancy
from customers.models import AuditEntry
from mining.links import issuing
from mining.links import reconcile as link_reconcile
from mining.models import Credential, MiningAccount, PoolIntent, SyncRun, WatcherLink
from mining.pool.answers.types import ListedLink, WatcherLinks
from tests.mining.hosting import Hosting, writes, written_between
from tests.mining.links.watching import LOOKED, SETTLED, Watched, watched
from tests.refusals import refused

State, Origin = WatcherLink.State, WatcherLink.Origin


@pytest.fixture
def account(north: Hosting) -> Watched:
    return watched(north)


# --- Issuing


def test_a_link_is_made_by_a_worker_and_shows_what_was_asked_for(account: Watched) -> None:
    asked = account.issue("workers", "dashboard", lifetime="24h")
    assert (asked.state, asked.url, account.at_pool()) == (State.CREATING, None, [])

    link = account.settle(asked)

    (true,) = account.at_pool()
    assert (link.state, link.pool_id, link.url, link.name) == (State.ACTIVE, true["id"], true["link"], true["name"])
    assert (true["permissions"], true["accounts"]) == (["dashboard", "workers"], ["south"])
    assert link.customer_id == account.account.customer_id
    assert link.live_until is not None
    # By the pool's clock, which goes on while this machine works.
    assert abs(link.live_until - account.now - timedelta(days=1)) < timedelta(minutes=5)
    room = account.room()
    assert (room.used, room.most, room.next_end_at, room.unseen) == (1, 3, link.live_until, 0)


def test_an_active_link_that_shows_the_same_is_handed_out_again(account: Watched) -> None:
    asked = account.issue("dashboard")
    assert account.issue("dashboard") == asked  # it is being made
    link = account.settle(asked)

    assert account.issue("dashboard", renews=True) == link
    assert account.link(link).renews is True
    others = [account.issue("rewards"), account.issue("dashboard", lifetime="1h")]
    assert link not in others
    assert account.room().used == 3


def test_a_link_that_has_lived_half_its_life_is_not_handed_out_again(account: Watched) -> None:
    link = account.made("dashboard", lifetime="24h")
    account.later(hours=11)
    assert account.issue("dashboard", lifetime="24h") == link
    account.later(hours=2)
    assert account.issue("dashboard", lifetime="24h") != link


def test_a_link_that_lives_longer_than_asked_is_not_handed_out_instead(account: Watched) -> None:
    forever = account.made("dashboard", lifetime="always", forever_confirmed=True)
    assert (forever.state, forever.live_until) == (State.ACTIVE, None)
    assert account.issue("dashboard", lifetime="7d") != forever
    assert account.issue("dashboard", lifetime="always", forever_confirmed=True) == forever


def test_what_no_link_can_be_is_refused_before_anything(account: Watched) -> None:
    impossible: list[tuple[dict[str, Any], str]] = [
        ({"permissions": []}, "link.shows_nothing"),
        ({"permissions": ["dashboard", "payouts"]}, "link.permission_unknown"),
        ({"lifetime": "30d"}, "link.lifetime_unknown"),
        ({"lifetime": "always"}, "link.forever_unconfirmed"),
        ({"lifetime": "24h", "renews": True}, "link.not_renewable"),
    ]
    for asked, code in impossible:
        wanted: dict[str, Any] = {"permissions": ["dashboard"], "lifetime": "7d"} | asked
        with account.hosting.context(), refused(code):
            issuing.issue_link(account.hosting.access, account.account, **wanted, now=account.now)
    assert account.links() == []


def test_an_account_that_can_have_no_link_is_refused(account: Watched) -> None:
    facts = MiningAccount.objects.filter(pk=account.account.pk)
    with account.hosting.context():
        stray = account.hosting.account("alpha_east")
    for change, back, code in (
        ({"unlisted_since": account.now}, {"unlisted_since": None}, "account.not_listed"),
        ({"state": "creating"}, {"state": "active"}, "account.being_created"),
    ):
        with account.hosting.context():
            facts.update(**change)
        with refused(code):
            account.issue()
        with account.hosting.context():
            facts.update(**back)
    with refused("account.no_customer"):
        Watched(account.hosting, stray, account.now).issue()
    with account.hosting.context():
        Credential.objects.update(state="refused")
    with refused("key.refused"):
        account.issue()
    assert account.links() == []


def test_a_neighbours_account_is_not_there(account: Watched, south: Hosting) -> None:
    south.sync("accounts")
    theirs = Watched(account.hosting, south.account("north"), account.now)
    with pytest.raises(MiningAccount.DoesNotExist):
        theirs.issue()


def test_the_cap_is_told_before_it_is_hit_and_counts_what_others_made(account: Watched) -> None:
    account.outside(live_until="1h")
    account.sync()
    account.made("dashboard")
    account.issue("rewards")
    room = account.room()
    assert (room.used, room.is_full) == (3, True)

    with refused("link.no_room"):
        account.issue("workers")

    account.later(hours=2)
    assert (account.room().used, account.issue("workers").state) == (2, State.CREATING)


def test_links_that_nobody_told_us_of_are_seen_right_before_the_call(account: Watched) -> None:
    for _ in range(3):
        account.outside()

    link = account.settle(account.issue())

    assert (link.state, len(account.at_pool())) == (State.FAILED, 3)
    assert link.problem.startswith("The account 'south' has 3 active watcher links at the pool")
    assert "watcher-links/create" not in account.hosting.pool.calls()
    # The look told of the others, so that the next one who asks is told at once.
    assert account.room().used == 3


# --- Lost answers


def test_a_link_whose_answer_was_lost_is_found_by_its_mark(account: Watched) -> None:
    account.outside(name="portal_of_somebody_else")
    for calls, (fault, phase) in enumerate([("reset", "after"), ("reset_mid_body", "after")], start=1):
        account.hosting.pool.fault(fault, endpoint="watcher-links/create", phase=phase, times=1)

        link = account.made(lifetime=["1h", "24h"][calls - 1])

        true = next(true for true in account.at_pool() if true["name"] == link.name)
        assert (link.state, link.pool_id, link.url) == (State.ACTIVE, true["id"], true["link"])
        assert account.hosting.pool.calls()["watcher-links/create"] == calls


def test_a_link_that_the_list_does_not_show_yet_is_waited_for(account: Watched) -> None:
    account.hosting.pool.fault("reset", endpoint="watcher-links/create", phase="after")
    account.hosting.pool.fault("lagging_list", endpoint="watcher-links/list", seconds=30)
    asked = account.issue()
    assert account.settle(asked).state == State.CREATING

    account.later(seconds=35)

    assert (account.settle(asked).state, len(account.at_pool())) == (State.ACTIVE, 1)
    assert account.hosting.pool.calls()["watcher-links/create"] == 1


def test_a_link_that_never_reached_the_pool_fails_and_may_be_asked_for_again(account: Watched) -> None:
    account.hosting.pool.fault("reset", endpoint="watcher-links/create", phase="before", times=1)
    asked = account.issue()
    assert account.settle(asked).state == State.CREATING

    failed = account.settle(asked, after=SETTLED)

    assert failed.state == State.FAILED
    assert failed.problem == "The pool's answer was lost, but it has made no link. Nothing was done: ask for it again."
    assert account.room().used == 0
    assert (account.made().state, len(account.at_pool())) == (State.ACTIVE, 1)


def test_one_that_comes_after_it_was_given_up_is_ours_all_the_same(account: Watched) -> None:
    account.hosting.pool.fault("reset", endpoint="watcher-links/create", phase="before", times=1)
    asked = account.issue()
    account.settle(asked)
    account.settle(asked, after=SETTLED)
    account.outside(name=asked.name, permissions=["dashboard"], live_until="7d")  # later than any pool should be

    account.sync()

    assert (account.link(asked).state, len(account.links())) == (State.ACTIVE, 1)
    assert [intent.state for intent in account.intents(watcher_link=asked)] == [PoolIntent.State.DONE]


def test_of_two_with_the_same_mark_one_is_ours_and_the_other_was_found(account: Watched) -> None:
    account.hosting.pool.fault("reset", endpoint="watcher-links/create", phase="after")
    account.hosting.pool.fault("link_made_twice")

    link = account.made()

    assert [true["name"] for true in account.at_pool()] == [link.name, link.name]
    assert [(row.origin, row.state) for row in account.links()] == [
        (Origin.PORTAL, State.ACTIVE),
        (Origin.POOL, State.ACTIVE),
    ]


def test_a_list_that_cannot_be_read_whole_proves_nothing(account: Watched) -> None:
    account.hosting.pool.fault("reset", endpoint="watcher-links/create", phase="before", times=1)
    account.outside(name="two\nlines")

    asked = account.made()

    assert (asked.state, account.intents(watcher_link=asked)[0].state) == (State.UNKNOWN, PoolIntent.State.UNKNOWN)
    assert account.settle(asked, after=SETTLED).state == State.UNKNOWN


def test_of_a_link_that_would_have_ended_by_now_nobody_says_that_it_was_not_made(account: Watched) -> None:
    account.hosting.pool.fault("reset", endpoint="watcher-links/create", phase="after")
    account.hosting.pool.fault("captive_page", endpoint="watcher-links/list", skip=1)
    asked = account.made(lifetime="1h")
    account.hosting.pool.clear_faults()

    account.later(hours=2)
    assert account.settle(asked).state == State.UNKNOWN
    account.later(seconds=5)

    over = account.settle(asked)
    assert (over.state, "that it may have made has ended by now" in over.problem) == (State.FAILED, True)


# --- The pool's list


def test_links_made_outside_appear_and_those_that_show_others_are_marked(account: Watched) -> None:
    account.made()
    account.outside(live_until="24h", permissions=["workers"])
    account.outside(accounts=["south", "alpha_east"], name="both")

    run = account.sync()

    assert (run.state, run.rows_new, run.calls) == (SyncRun.State.OK, 3, 3)
    found = account.links(origin=Origin.POOL)
    assert [(row.name, row.permissions, row.shows_others, row.lifetime) for row in found] == [
        ("by_hand", ["workers"], False, None),
        ("both", ["dashboard", "rewards", "workers"], True, None),
    ]
    assert found[0].customer_id == account.account.customer_id
    with account.hosting.context():
        assert WatcherLink.objects.filter(mining_account__name="alpha_east", shows_others=True).count() == 1
        assert AuditEntry.objects.filter(action="link.found").count() == 3


def test_reading_an_unchanged_list_again_writes_nothing(account: Watched) -> None:
    account.made()
    account.outside()
    account.sync()
    before = writes()

    account.sync()

    assert set(written_between(before, writes())) == {"mining_syncrun"}


def test_a_link_that_is_no_longer_listed_is_gone_and_one_that_ended_is_over(account: Watched) -> None:
    hour, week = account.made("rewards", lifetime="1h"), account.made("workers")
    young = account.made("dashboard", "rewards", "workers")
    with account.hosting.context():
        WatcherLink.objects.filter(pk__in=[hour.pk, week.pk]).update(seen_at=account.now - timedelta(minutes=5))
        WatcherLink.objects.filter(pk=hour.pk).update(live_until=account.now - timedelta(minutes=1))
    for link in account.at_pool():
        account.hosting.pool.edit("remove_link", login="alpha", id=link["id"])

    run = account.sync()
    assert (run.state, run.rows_changed) == (SyncRun.State.PARTIAL, 2)
    assert run.error.startswith("The pool lists no watcher link of south any more.")
    assert (account.link(hour).state, account.link(hour).problem) == (State.GONE, "")
    assert account.link(week).state == State.ACTIVE  # one list may be the pool's mistake

    age_absence(account)
    run = account.sync()

    assert (run.state, run.rows_changed) == (SyncRun.State.OK, 1)
    assert (account.link(week).state, account.link(week).problem) == (State.GONE, link_reconcile.VANISHED)
    assert account.link(young).state == State.ACTIVE  # the list lags
    with account.hosting.context(), refused("link.over"):
        issuing.set_renewal(account.hosting.access, account.link(week), renews=True, now=account.now)


def age_absence(account: Watched) -> None:
    """As if the reading that first missed them had been a day ago."""
    with account.hosting.context():
        missing = WatcherLink.objects.exclude(missing_since=None)
        missing.update(missing_since=account.now - timedelta(days=1))


def test_the_same_list_again_within_a_minute_changes_nothing(account: Watched) -> None:
    account.made()
    with account.hosting.context():
        WatcherLink.objects.update(seen_at=account.now - timedelta(minutes=5))
    changed = []
    for seconds in (0, 30, 60, 90):
        at = account.now + timedelta(seconds=seconds)
        with account.hosting.context():
            lists = {account.account: WatcherLinks((), ())}
            changed.append(link_reconcile.reconcile(lists, asked_at=at, now=at).rows_changed)

    assert changed == [1, 0, 1, 0]  # missed, missed still, gone, and gone


def test_one_empty_list_takes_no_link_away_and_lets_none_be_made_twice(account: Watched) -> None:
    link = account.made(lifetime="always", forever_confirmed=True)
    with account.hosting.context():
        WatcherLink.objects.update(seen_at=account.now - timedelta(minutes=5))
    account.hosting.pool.fault("empty_listing", endpoint="watcher-links/list")

    for _ in range(2):  # a second look at once is the same moment's mistake
        account.sync()
    assert account.issue(lifetime="always", forever_confirmed=True) == link
    account.hosting.pool.clear_faults()
    assert account.sync().state == SyncRun.State.OK

    assert (account.link(link).state, account.link(link).missing_since) == (State.ACTIVE, None)
    age_absence(account)
    account.hosting.pool.fault("empty_listing", endpoint="watcher-links/list")
    account.sync()
    assert account.link(link).state == State.ACTIVE  # it was listed since


def test_one_empty_list_does_not_say_that_nothing_was_done(account: Watched) -> None:
    account.hosting.pool.fault("reset", endpoint="watcher-links/create", phase="after", times=1)
    account.hosting.pool.fault("empty_listing", endpoint="watcher-links/list", skip=1, times=2)
    asked = account.issue(lifetime="always", forever_confirmed=True)
    account.settle(asked)  # the look right after the call, and the one a minute later, see nothing

    assert account.settle(asked, after=LOOKED).state == State.CREATING
    assert account.settle(asked, after=SETTLED).state == State.ACTIVE
    assert len(account.at_pool()) == 1


def test_a_link_of_which_the_pool_says_not_whom_it_shows_is_not_for_the_customer(account: Watched) -> None:
    account.outside()
    account.sync()
    (row,) = account.links()
    assert row.pool_id is not None and row.url is not None
    listed = ListedLink(row.pool_id, row.name, (), ("dashboard",), row.url, None, account.now)

    with account.hosting.context():
        link_reconcile.reconcile({account.account: WatcherLinks((listed,), ())}, asked_at=account.now, now=account.now)

    assert account.link(row).shows_others is True


def test_words_that_we_do_not_know_are_kept_and_a_record_that_cannot_be_read_is_put_aside(account: Watched) -> None:
    account.outside(permissions=["dashboard", "payouts"])
    account.outside(name="two\nlines")

    run = account.sync()

    (link,) = account.links()
    assert (run.state, run.error) == (SyncRun.State.PARTIAL, "A watcher link of south could not be read.")
    assert (link.permissions, link.problem) == (
        ["dashboard"],
        "The pool names permissions that we do not know: payouts.",
    )


def test_links_follow_the_account_to_its_customer_and_no_neighbour_sees_them(north: Hosting, south: Hosting) -> None:
    north.sync("accounts")
    stray = Watched(north, north.account("south"), north.pool.clock())
    stray.outside(live_until="always")
    stray.sync()
    assert [link.customer_id for link in stray.links()] == [None]

    mine = watched(north)

    assert [link.customer_id for link in mine.links()] == [mine.account.customer_id]
    with tenancy.access_context(south.access):
        assert not WatcherLink.objects.exists()
    with tenancy.provider_context(north.provider.pk, customer_id=mine.account.customer_id):
        assert WatcherLink.objects.count() == 1
