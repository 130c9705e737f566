"""How a key fares in use: silence, touches, refusals."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from mining.keys import health as key_health
from mining.keys import store as key_store
from mining.keys import verification
from mining.models import Credential, SyncRun
from tests.mining.hosting import Hosting

State = Credential.State


def days_silent(days: float, **fields: Any) -> key_health.Health:
    now = timezone.now()
    given = {"state": State.ACTIVE, "last_success_at": now - timedelta(days=days)} | fields
    return key_health.health(Credential(**given), now)


@pytest.mark.parametrize(
    ("days", "level", "days_left", "words"),
    [
        (-0.01, "ok", 14, "answers this key"),
        (2.99, "ok", 11, "answers this key"),
        (3, "warn", 11, "for 3 days and switches it off in 11 days."),
        (6.99, "warn", 7, "for 6 days and switches it off in 7 days."),
        (7, "alarm", 7, "for 7 days and switches it off in 7 days."),
        (12.5, "alarm", 1, "for 12 days and switches it off in 1 day."),
        (13.5, "alarm", 0, "for 13 days and switches it off within a day."),
        (14, "alarm", 0, "for 14 days, and switches off what is not used for 14."),
    ],
)
def test_silence_is_a_warning_after_three_days_and_an_alarm_after_seven(
    days: float, level: str, days_left: int, words: str
) -> None:
    health = days_silent(days)

    assert (health.level, health.days_left) == (level, days_left)
    assert words in health.sentence


def test_a_key_that_is_not_in_use_has_no_health() -> None:
    assert days_silent(1, last_success_at=None).level == "unknown"
    refused = days_silent(1, state=State.REFUSED, problem="The pool has this key switched off.")
    assert (refused.level, refused.silent_for, refused.sentence) == (
        "unknown",
        None,
        "The pool has this key switched off.",
    )


def test_a_touch_is_one_call_that_keeps_a_key_alive(north: Hosting) -> None:
    credential, later = north.credential(), timezone.now() + timedelta(days=1)
    north.pool.clear_log()

    verification.touch(north.provider.pk, credential.pk, now=later)

    assert sum(north.pool.calls().values()) == 1
    assert north.credential().last_success_at == later


def test_a_touch_that_fails_is_noted_and_a_refused_one_ends_the_key(north: Hosting) -> None:
    credential, later = north.credential(), timezone.now() + timedelta(days=1)
    north.pool.fault("http_503")
    verification.touch(north.provider.pk, credential.pk, now=later)
    tried = north.credential()
    assert (tried.state, tried.last_success_at, tried.checked_at) == (State.ACTIVE, credential.last_success_at, later)

    north.pool.clear_faults()
    north.pool.edit("set_key", api_key=north.pool.key("alpha").api_key, enabled=False)
    verification.touch(north.provider.pk, credential.pk, now=later)
    assert north.credential().state == State.REFUSED
    verification.touch(north.provider.pk, credential.pk, now=later)  # not in use any more: nothing to do


def test_a_refused_key_is_sent_no_more_until_it_is_verified_again(north: Hosting) -> None:
    north.sync_all()
    api_key = north.pool.key("alpha").api_key
    north.pool.edit("set_key", api_key=api_key, enabled=False)
    refused = north.sync()
    north.pool.clear_log()

    assert north.sync_all() == []
    assert north.pool.calls() == {}
    assert (refused.state, "switched off" in refused.error) == (SyncRun.State.FAILED, True)
    assert north.credential().state == State.REFUSED

    north.pool.edit("set_key", api_key=api_key, enabled=True)
    with north.context():
        key_store.ask_verification(north.access, north.credential(), now=timezone.now() + key_store.TRIED_AGAIN_AFTER)
    north.verify(north.credential())
    assert north.sync().state == SyncRun.State.OK


def test_a_right_that_only_some_readings_need_stops_only_those(north: Hosting) -> None:
    north.sync_all()
    endpoints = ["accounts", "rewards", "miners/info", "payout-destination", "watcher-links/list"]
    north.pool.edit("set_key", api_key=north.pool.key("alpha").api_key, endpoints=endpoints)

    runs = {run.subject: run.state for run in north.sync_all()}

    assert runs == dict.fromkeys(["accounts", "rewards", "workers", "payouts", "watchers"], "ok") | {
        "hashrate": "failed"
    }
    credential = north.credential()
    assert (credential.state, "may not use hashrate" in credential.problem) == (State.ACTIVE, True)
