"""What a person says that a quarantined record is, and what later readings make of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from customers.models import AuditEntry
from mining.models import MiningAccount, PoolLogin, QuarantinedRecord, Reward, SyncRun
from mining.models.rewards import Settlement
from mining.rewards import settling, taking_in
from tests.mining.hosting import Hosting
from tests.refusals import refused

DAY = "2026-10-18"
ANOTHER, SAME, DISMISSED = Settlement.ANOTHER, Settlement.SAME, Settlement.DISMISSED


def waiting(north: Hosting) -> list[QuarantinedRecord]:
    with north.context():
        rows = QuarantinedRecord.objects.filter(settled_at=None).select_related("sync_run")
        return list(rows.order_by("pk"))


def settle(north: Hosting, record: QuarantinedRecord, decision: Settlement, **wanted: Any) -> QuarantinedRecord:
    with north.context():
        wanted = {"note": "The pool's support said so.", **wanted}
        return settling.settle(north.access, record, decision=decision, now=timezone.now(), **wanted)


def of_the_day(north: Hosting) -> list[Reward]:
    return north.rewards(day=DAY, mining_account__name="north")


def twin(north: Hosting) -> None:
    north.pool.edit("add_twin", login="alpha", account="north", date=DAY)


@pytest.fixture
def twins(north: Hosting) -> QuarantinedRecord:
    twin(north)
    north.sync()
    (record,) = waiting(north)
    assert str(record.day) == DAY
    return record


def test_two_rewards_are_two_from_then_on_and_a_third_is_asked_about(north: Hosting, twins: QuarantinedRecord) -> None:
    settled = settle(north, twins, ANOTHER)
    again = settle(north, twins, ANOTHER)

    first, second = of_the_day(north)
    assert (first.occurrence, second.occurrence, first.net_sat) == (1, 2, second.net_sat)
    assert settled.reward == again.reward == second
    run = north.sync()
    assert (run.state, run.rows_new, run.rows_changed, waiting(north)) == (SyncRun.State.OK, 0, 0, [])
    assert north.told() == north.truth()
    with north.context():
        (entry,) = AuditEntry.objects.filter(action="quarantine.settled")
    assert (entry.subject, entry.details["settled_as"]) == (twins.code, "another")

    twin(north)
    assert north.sync().quarantined == 1
    assert len(of_the_day(north)) == 2
    (third,) = waiting(north)
    assert third.pk != twins.pk


def test_one_listed_twice_stays_one_and_a_third_is_asked_about(north: Hosting, twins: QuarantinedRecord) -> None:
    settle(north, twins, SAME)

    run = north.sync()
    assert (run.state, run.quarantined, len(of_the_day(north)), waiting(north)) == (SyncRun.State.OK, 0, 1, [])

    twin(north)
    north.sync()
    (third,) = waiting(north)
    assert third.pk != twins.pk
    assert len(of_the_day(north)) == 1


def test_what_was_said_once_is_not_said_otherwise(north: Hosting, twins: QuarantinedRecord) -> None:
    with refused("quarantine.note_missing"):
        settle(north, twins, SAME, note="  ")
    with refused("quarantine.decision_unfit"):
        settle(north, twins, DISMISSED)
    settle(north, twins, SAME)
    with refused("quarantine.settled"):
        settle(north, twins, ANOTHER)
    assert len(of_the_day(north)) == 1


def test_nothing_is_settled_under_a_reading(north: Hosting, twins: QuarantinedRecord) -> None:
    with north.context():
        run = SyncRun.objects.create(
            provider=north.provider, login_id=north.login_id, subject="rewards", state="running",
            queued_at=timezone.now(), lease_until=timezone.now(),
        )  # fmt: skip
    with refused("quarantine.being_read"):
        settle(north, twins, ANOTHER)
    with north.context(), transaction.atomic():
        SyncRun.objects.filter(pk=run.pk).update(state="failed")
    settle(north, twins, ANOTHER)


def moved_or_new(north: Hosting) -> tuple[Reward, list[QuarantinedRecord]]:
    north.sync()
    (before,) = of_the_day(north)
    amounts = {"totalReward": before.total_raw, "reward": before.net_raw, "fee": before.fee_raw}
    north.pool.edit("remove_reward", login="alpha", account="north", date=DAY)
    for moment in ("2026-10-17T12:00:00Z", "2026-10-18T12:00:00Z"):
        north.pool.edit("add_reward", login="alpha", account="north", date=DAY, set=amounts | {"date": moment})
    north.sync()
    return before, waiting(north)


def test_one_that_moved_and_one_that_is_new_are_told_apart_by_a_person(north: Hosting) -> None:
    before, (moved, new) = moved_or_new(north)
    with north.context():
        assert settling.candidates(north.access, [moved, new]) == {moved.pk: [before], new.pk: [before]}

    assert settle(north, moved, SAME).reward == before
    taken_in = settle(north, new, ANOTHER).reward

    run = north.sync()
    assert (run.state, run.rows_new, run.rows_changed) == (SyncRun.State.OK, 0, 0)
    assert north.told() == north.truth()
    assert taken_in is not None
    (after,) = north.rewards(pk=before.pk)
    assert {after.reward_at, taken_in.reward_at} == {settling._read(one).record.reward_at for one in (moved, new)}
    assert (after.code, after.missing_since) == (before.code, None)
    assert north.observations(after) == 2


def test_a_doubt_that_a_later_reading_can_tell_asks_nobody_and_is_not_taken_in_twice(north: Hosting) -> None:
    _, (moved, new) = moved_or_new(north)
    north.pool.edit("restore_reward", login="alpha", account="north", date=DAY)  # it had never moved

    north.sync()

    assert waiting(north) == []
    assert north.told() == north.truth()
    with north.context():
        assert {row.settled_as for row in QuarantinedRecord.objects.all()} == {"taken_in"}
        QuarantinedRecord.objects.filter(pk=new.pk).update(settled_at=None, settled_as="", settled_by="")
    with refused("quarantine.taken_in"):
        settle(north, new, ANOTHER)
    assert moved.pk != new.pk


def test_a_like_reward_of_another_login_is_no_such_reward(north: Hosting) -> None:
    _, (_, new) = moved_or_new(north)
    with north.context():
        login = PoolLogin.objects.create(provider=north.provider, name="second", created_at=timezone.now())
        account = MiningAccount.objects.create(
            provider=north.provider, login=login, name="north", state="active", first_seen_at=timezone.now()
        )
        theirs = taking_in.new_row(north.provider.pk, settling._read(new), account, now=timezone.now())
        theirs.occurrence = 1
        theirs.save()

    assert settle(north, new, ANOTHER).reward != theirs


def test_what_cannot_be_read_is_put_aside_or_read_once_the_parser_can(north: Hosting) -> None:
    north.sync()
    north.pool.edit("set_reward", login="alpha", account="north", date=DAY, set={"totalReward": "much"})
    north.sync()
    (record,) = waiting(north)
    with refused("quarantine.unreadable"):
        settle(north, record, Settlement.READ_AGAIN)
    mended = json.loads(record.raw) | {"totalReward": "0.01", "reward": "0.01", "fee": "0"}
    with north.context():
        QuarantinedRecord.objects.filter(pk=record.pk).update(raw=json.dumps(mended))
    settle(north, record, Settlement.READ_AGAIN)
    assert north.account("north").rewards_read_in_full_at is None

    north.pool.edit("set_reward", login="alpha", account="north", date=DAY, set={"totalReward": "more"})
    north.sync()
    (other,) = waiting(north)
    settle(north, other, DISMISSED)
    assert north.sync().quarantined == 0
    assert waiting(north) == []
