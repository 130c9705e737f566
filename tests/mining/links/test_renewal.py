"""Watcher links that are followed by another one: when a person asks, and by themselves."""

from __future__ import annotations

from datetime import timedelta

import pytest

from customers.codes import new_code
from customers.models import AuditEntry
from mining import intents, planner
from mining.intents.link import LinkCreation
from mining.links import issuing
from mining.links import reconcile as link_reconcile
from mining.links import room as link_room
from mining.links.reconcile import LIST_LAGS
from mining.links.rules import MOST_RENEWALS, RENEW_LATE
from mining.models import PoolIntent, WatcherLink
from mining.pool.answers.types import CreatedLink, ListedLink, WatcherLinks
from tests.mining.hosting import Hosting
from tests.mining.links.watching import SETTLED, Watched, watched
from tests.refusals import refused

State = WatcherLink.State


@pytest.fixture
def account(north: Hosting) -> Watched:
    return watched(north)


def test_a_renewed_link_has_a_successor_once(account: Watched) -> None:
    old = account.made("dashboard", "rewards", renews=True)
    account.later(days=4)
    with account.hosting.context():
        new = issuing.renew_link(account.hosting.access, old, now=account.now)
        again = issuing.renew_link(account.hosting.access, account.link(old), now=account.now)

    assert (new, again.pk) == (account.links()[1], new.pk)
    assert (new.permissions, new.lifetime, new.renews) == (["dashboard", "rewards"], "7d", True)
    assert account.settle(new).state == State.ACTIVE


@pytest.mark.parametrize(("lifetime", "hours"), [("1h", 0.5), ("24h", 12), ("7d", 84)])
def test_a_link_that_has_half_its_life_left_is_renewed_only_by_who_confirms_it(
    account: Watched, lifetime: str, hours: float
) -> None:
    access, link = account.hosting.access, account.made(lifetime=lifetime)
    assert link.live_until is not None
    now = link.live_until - timedelta(hours=hours)
    with account.hosting.context(), refused("link.still_works"):
        issuing.renew_link(access, link, now=now)
    assert account.links() == [link]

    with account.hosting.context():
        confirmed = issuing.renew_link(access, link, early_confirmed=True, now=now)
        # Who did not hear the answer asks again: that is no second renewal.
        assert issuing.renew_link(access, account.link(link), now=now) == confirmed
    assert account.links() == [link, confirmed]


def test_a_link_in_the_second_half_of_its_life_is_renewed_without_a_question(account: Watched) -> None:
    link = account.made(lifetime="24h")
    assert link.live_until is not None
    now = link.live_until - timedelta(hours=12) + timedelta(seconds=1)
    with account.hosting.context():
        new = issuing.renew_link(account.hosting.access, link, now=now)
    assert account.links() == [link, new]


def test_a_weekly_link_renews_itself_a_day_before_its_end(account: Watched) -> None:
    link, other = account.made("dashboard", renews=True), account.made("rewards")
    planner.plan(account.hosting.provider.pk, now=account.later(days=5, hours=23))
    assert len(account.links()) == 2

    for minutes in (120, 1):
        planner.plan(account.hosting.provider.pk, now=account.later(minutes=minutes))

    successor = account.link(link).successor
    assert successor is not None
    assert account.links() == [link, other, successor]
    assert account.settle(successor).state == State.ACTIVE


def test_a_renewal_without_room_says_why_and_is_made_when_there_is(account: Watched) -> None:
    link = account.made("dashboard", renews=True)
    account.outside()
    account.outside()
    account.sync()
    account.later(days=6, hours=1)
    for _ in range(2):
        planner.plan(account.hosting.provider.pk, now=account.now)
    assert "could not be renewed. The account 'south' has 3 active" in account.link(link).problem
    assert len(account.links()) == 3

    planner.plan(account.hosting.provider.pk, now=account.later(days=1))

    after = account.link(link)
    assert (after.is_live(account.now), after.successor, after.problem) == (False, account.links()[-1], "")


def test_a_renewal_that_failed_is_tried_again_after_an_hour(account: Watched) -> None:
    link = account.made("dashboard", renews=True)
    planner.plan(account.hosting.provider.pk, now=account.later(days=6, hours=1))
    first = account.link(link).successor
    assert first is not None
    with account.hosting.context():
        WatcherLink.objects.filter(pk=first.pk).update(state=State.FAILED)

    planner.plan(account.hosting.provider.pk, now=account.later(minutes=30))
    assert account.link(link).successor == first
    planner.plan(account.hosting.provider.pk, now=account.later(minutes=31))
    assert account.link(link).successor not in (None, first)


@pytest.mark.parametrize("later", [timedelta(minutes=5), timedelta(days=1)])  # the old one: not listed for once; over
def test_one_whose_new_one_is_there_after_all_says_no_more_that_it_was_not_renewed(
    account: Watched, later: timedelta
) -> None:
    old = account.made(renews=True)
    planner.plan(account.hosting.provider.pk, now=account.later(days=6, hours=1))
    new = account.link(old).successor
    assert new is not None
    account.hosting.pool.fault("reset", endpoint="watcher-links/create", phase="before", times=1)
    account.settle(new)
    failed = account.settle(new, after=SETTLED)
    assert (failed.state, account.link(old).renewals_failed) == (State.FAILED, 1)
    assert account.link(old).problem.startswith("It could not be renewed.")

    now = account.now + later
    made = ListedLink("late", failed.name, ("south",), ("dashboard",), "https://whitebit.com/x", None, now)
    with account.hosting.context():
        link_reconcile.reconcile({account.account: WatcherLinks((made,), ())}, asked_at=now, now=now)

    assert account.link(new).state == State.ACTIVE
    assert (account.link(old).problem, account.link(old).renewals_failed) == ("", 0)


def test_right_after_its_end_a_place_may_still_be_taken_at_the_pool(account: Watched) -> None:
    link = account.made(renews=True)
    account.outside()
    account.outside()
    account.sync()
    end = account.link(link).live_until
    assert end is not None
    for now in (end - timedelta(hours=1), end, end + LIST_LAGS - timedelta(seconds=1)):
        planner.plan(account.hosting.provider.pk, now=now)
        assert account.link(link).successor is None
    planner.plan(account.hosting.provider.pk, now=end + LIST_LAGS)
    assert account.link(link).successor is not None


def test_a_renewal_that_goes_on_failing_is_tried_less_and_less_and_then_left_to_people(account: Watched) -> None:
    link = account.made("dashboard", renews=True)
    end, tried = link.live_until, []
    assert end is not None
    for hour in (*range(40), *range(48, 9 * 24, 24)):
        now = account.now + timedelta(days=6, hours=hour, minutes=5)
        planner.plan(account.hosting.provider.pk, now=now)
        for waiting in account.links(state=State.CREATING):
            tried.append(hour)
            with account.hosting.context():
                intents.fail(PoolIntent.objects.get(watcher_link=waiting), "The pool said no.", now=now)

    old = account.link(link)
    assert tried == [0, 1, 3, 7, 15, 24]  # the last one when its end has freed its place
    assert (old.problem, old.renewals_failed) == ("It could not be renewed. The pool said no.", 6)
    for now, told in ((end - timedelta(hours=12), [link]), (end + timedelta(days=6), [link]), (end + RENEW_LATE, [])):
        with account.hosting.context():
            assert list(link_room.not_renewed(WatcherLink.objects.all(), now=now)) == told


def test_one_that_is_being_renewed_in_time_needs_nobody_until_it_is_late(account: Watched) -> None:
    link = account.made("dashboard", renews=True)

    def needing() -> list[WatcherLink]:
        with account.hosting.context():
            return list(link_room.not_renewed(WatcherLink.objects.all(), now=account.now))

    account.later(days=6, minutes=5)
    planner.plan(account.hosting.provider.pk, now=account.now)
    assert needing() == []
    account.later(hours=2)
    assert needing() == [link]
    successor = account.link(link).successor
    assert successor is not None
    with account.hosting.context():
        WatcherLink.objects.filter(pk=successor.pk).update(
            state=State.ACTIVE, pool_id="x", url="https://whitebit.com/x", seen_at=account.now
        )
    assert needing() == []


def test_who_stops_the_renewal_of_an_old_link_means_the_newest(account: Watched) -> None:
    old = account.made("dashboard", renews=True)
    with account.hosting.context():
        new = issuing.renew_link(account.hosting.access, old, early_confirmed=True, now=account.now)
        issuing.set_renewal(account.hosting.access, old, renews=False, now=account.now)

        assert [link.renews for link in (account.link(old), account.link(new))] == [False, False]
        told = AuditEntry.objects.get(action="link.renewal_set")
        assert told.details == {"renews": "no", "newest": new.code}
        issuing.set_renewal(account.hosting.access, old, renews=True, now=account.now)
    assert [link.renews for link in (account.link(old), account.link(new))] == [True, True]


def test_what_is_long_over_is_not_renewed(account: Watched) -> None:
    link = account.made()
    over = account.now + timedelta(days=7, seconds=10)
    with account.hosting.context():
        with refused("link.over"):
            issuing.set_renewal(account.hosting.access, link, renews=True, now=over)
        with refused("link.over"):
            issuing.renew_link(account.hosting.access, link, now=over + RENEW_LATE)
        WatcherLink.objects.update(state=State.GONE, ended_at=account.now)  # before its end
        with refused("link.over"):
            issuing.renew_link(account.hosting.access, link, now=account.now)
    assert account.links() == [link]


def test_a_weekly_link_of_which_the_pool_tells_no_end_ends_after_a_week(account: Watched) -> None:
    asked = account.issue()
    (intent,) = account.intents(watcher_link=asked)
    intent.watcher_link = asked
    act = LinkCreation(intent)
    with account.hosting.context():
        act.keep(CreatedLink("x", "https://whitebit.com/x", None, account.now), now=account.now)

    assert account.link(asked).live_until == account.now + timedelta(days=7)


def test_what_cannot_be_renewed_says_so(account: Watched) -> None:
    account.outside()
    account.sync()
    (found,) = account.links()
    day = account.made(lifetime="24h")
    forever = account.made("rewards", lifetime="always", forever_confirmed=True)
    with account.hosting.context():
        for link, code in ((found, "link.not_ours"), (forever, "link.endless")):
            with refused(code):
                issuing.renew_link(account.hosting.access, link, now=account.now)
        with refused("link.not_renewable"):
            issuing.set_renewal(account.hosting.access, day, renews=True, now=account.now)


def test_renewal_is_switched_on_and_off_and_told_once(account: Watched) -> None:
    link = account.made()
    with account.hosting.context():
        for renews in (True, True, False):
            issuing.set_renewal(account.hosting.access, link, renews=renews, now=account.now)
        told = AuditEntry.objects.filter(action="link.renewal_set").values_list("details", flat=True)
        assert sorted(details["renews"] for details in told) == ["no", "yes"]
    assert account.link(link).renews is False


# --- Whether a renewal will find a place


@pytest.mark.parametrize(
    ("others", "late"),
    [
        ([None], False),  # a place is free
        ([None, None], True),
        ([None, (6, False)], False),  # its place is free in time
        ([None, (8, False)], True),
        ([None, (6, True)], True),  # it wants its place itself
        ([None, (8, True)], True),
        ([(6, True), (6.5, False)], False),
    ],
)
def test_a_renewal_that_will_find_no_place_is_known_beforehand(
    account: Watched, others: list[tuple[float, bool] | None], late: bool
) -> None:
    link = account.made(renews=True)
    for other in others:
        beside(account, *(other or (None, False)))
    assert (link.pk in account.room().renewed_late) is late


def beside(account: Watched, ends_in_days: float | None = None, renews: bool = False) -> WatcherLink:
    with account.hosting.context():
        return WatcherLink.objects.create(
            provider=account.hosting.provider,
            mining_account=account.account,
            state=State.ACTIVE,
            origin="portal",
            pool_id=new_code("x"),
            url="https://whitebit.com/x",
            name="x",
            permissions=["rewards"],
            lifetime="always" if ends_in_days is None else "7d",
            renews=renews,
            live_until=None if ends_in_days is None else account.now + timedelta(days=ends_in_days),
            created_at=account.now,
            seen_at=account.now,
        )


def test_one_that_has_its_new_one_and_one_that_is_left_to_people_wait_for_no_place(account: Watched) -> None:
    old, new = account.made(renews=True), beside(account, 13)
    beside(account)
    for facts, late in (
        ({}, {old.pk}),
        ({"successor": new}, set()),
    ):
        with account.hosting.context():
            WatcherLink.objects.filter(pk=old.pk).update(**facts)
        assert account.room().renewed_late == late

    beside(account)
    for failed, late in ((MOST_RENEWALS - 1, {old.pk}), (MOST_RENEWALS, set())):
        with account.hosting.context():
            WatcherLink.objects.filter(pk=new.pk).update(state=State.FAILED)
            WatcherLink.objects.filter(pk=old.pk).update(renewals_failed=failed)
        assert account.room().renewed_late == late
