"""What is let go in time, and what never is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from mining import retention
from mining.models import Reward, RewardObservation, SyncRun
from tests.mining.hosting import Hosting

LONG_AGO = timedelta(days=40)
MOMENT = int(datetime(2026, 10, 19, 0, 0, 7, tzinfo=UTC).timestamp())  # no other reward is of it


def kept(hosting: Hosting) -> list[str]:
    with hosting.context():
        return list(SyncRun.objects.exclude(subject="key").order_by("pk").values_list("subject", flat=True))


def test_old_runs_go_but_for_the_last_of_each_kind_and_what_other_rows_point_at(north: Hosting, south: Hosting) -> None:
    now = timezone.now()
    for hosting in (north, south):
        hosting.sync("accounts")
        hosting.sync("rewards")  # brought the rewards: their observations name it
        for _ in range(3):
            hosting.sync("accounts")
            hosting.sync("rewards")
    with north.context():
        SyncRun.objects.update(queued_at=now - LONG_AGO)
        SyncRun.objects.filter(pk=SyncRun.objects.filter(subject="rewards").latest("pk").pk).update(state="failed")
    recent = kept(south)

    retention.let_go(north.provider.pk, now=now)
    retention.let_go(south.provider.pk, now=now)

    # Of rewards: the one that brought them, the last that was done, and the newest, which failed.
    assert kept(north) == ["rewards", "rewards", "accounts", "rewards"]
    assert kept(south) == recent


def raws(hosting: Hosting, reward: Reward) -> list[str]:
    with hosting.context():
        return [row.raw for row in RewardObservation.objects.filter(reward=reward).order_by("pk")]


@pytest.fixture
def paid(north: Hosting) -> Reward:
    """A reward that was seen pending, and paid later."""
    north.pool.edit("add_reward", login="alpha", account="north", date=MOMENT, set={"status": "pending"})
    north.sync()
    north.pool.edit("set_reward", login="alpha", account="north", date=MOMENT, set={"status": "successful"})
    north.sync()
    (reward,) = north.rewards(mining_account__name="north", reward_at=datetime.fromtimestamp(MOMENT, UTC))
    assert len(raws(north, reward)) == 2
    return reward


def long_final(hosting: Hosting, reward: Reward, **facts: object) -> None:
    before = timezone.now() - retention.PENDING_KEPT - timedelta(days=1)
    values = {"day": before.date(), "changed_at": before, **facts}
    with hosting.context():
        Reward.objects.filter(pk=reward.pk).update(**values)


def test_what_was_said_before_a_reward_was_paid_goes_once_it_is_long_final(north: Hosting, paid: Reward) -> None:
    pending, successful = raws(north, paid)

    retention.let_go(north.provider.pk, now=timezone.now())
    assert raws(north, paid) == [pending, successful]  # it is not final for long

    long_final(north, paid)
    retention.let_go(north.provider.pk, now=timezone.now())
    assert raws(north, paid) == [successful]


@pytest.mark.parametrize("facts", [{"status": "canceled"}, {"status": "pending"}, {"missing_since": timezone.now()}])
def test_of_what_is_not_final_everything_stays(north: Hosting, paid: Reward, facts: dict[str, object]) -> None:
    before = raws(north, paid)
    long_final(north, paid, **facts)

    retention.let_go(north.provider.pk, now=timezone.now())

    assert raws(north, paid) == before


def test_each_state_in_which_a_reward_could_be_billed_stays(north: Hosting, paid: Reward) -> None:
    north.pool.edit(
        "set_reward", login="alpha", account="north", date=MOMENT,
        set={"totalReward": "0.5", "reward": "0.5", "fee": "0"},
    )  # fmt: skip
    north.sync()
    _, *billable = raws(north, paid)
    assert len(billable) == 2
    long_final(north, paid)

    retention.let_go(north.provider.pk, now=timezone.now())

    assert raws(north, paid) == billable


def test_that_it_was_pending_again_after_it_was_paid_stays(north: Hosting, paid: Reward) -> None:
    for status in ("pending", "successful"):
        north.pool.edit("set_reward", login="alpha", account="north", date=MOMENT, set={"status": status})
        north.sync()
    _, *since_paid = raws(north, paid)
    long_final(north, paid)

    retention.let_go(north.provider.pk, now=timezone.now())

    assert (raws(north, paid), len(since_paid)) == (since_paid, 3)


def test_no_context_lets_go_of_anothers_or_of_what_is_new(north: Hosting, south: Hosting) -> None:
    for provider, days in [(south.provider.pk, 100), (north.provider.pk, 10)]:
        with (
            pytest.raises(DatabaseError, match="are not to be dropped"),
            north.context(),
            connection.cursor() as cursor,
        ):
            before = timezone.now() - timedelta(days=days)
            cursor.execute("SELECT mining_drop_pending_observations(%s, %s, 10)", [provider, before])
