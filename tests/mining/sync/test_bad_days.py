"""Every fault of the pool ends in a clear state with one sentence, loses nothing, and the next run repairs it."""

from __future__ import annotations

from typing import Any

import pytest
import structlog.testing

from mining.models import Credential, SyncRun
from mining.models.runs import Subject
from tests.mining.hosting import DAY, Hosting

# One of each that a run tells apart; what the client makes of all of them: tests/mining/pool/test_bad_days.py.
PASSING = [
    ("http_503", "out of order or in maintenance (status 503)"),
    ("reset", "cannot be reached"),
    ("rate_limited", "rate limit"),
    ("nonce_refused", "nonce"),
    ("captive_page", "not the JSON we expect"),
    ("oversized_body", "more than 2 MiB"),
    ("redirect_301", "redirect"),
    ("data_missing", "not documented"),
]


@pytest.fixture
def yesterday(north: Hosting) -> Hosting:
    """Everything was read a day ago; new rewards have come since."""
    north.sync_all()
    north.pool.clock(advance_seconds=DAY)
    return north


@pytest.mark.parametrize(("fault", "sentence"), PASSING)
def test_a_pool_in_trouble_fails_the_run_and_the_next_repairs_it(
    yesterday: Hosting, settings: Any, fault: str, sentence: str
) -> None:
    settings.POOL_DEADLINE_SECONDS = 1.0
    before = yesterday.told()
    yesterday.pool.fault(fault)

    failed = yesterday.sync()

    assert (failed.state, sentence in failed.error) == (SyncRun.State.FAILED, True), failed.error
    assert failed.finished_at is not None
    assert yesterday.told() == before
    assert yesterday.credential().state == Credential.State.ACTIVE

    yesterday.calm()
    assert yesterday.sync().state == SyncRun.State.OK
    assert yesterday.told() == yesterday.truth()


@pytest.mark.parametrize("subject", [subject for subject in Subject if subject != Subject.KEY])
@pytest.mark.parametrize("fault", ["http_503", "captive_page"])
def test_every_subject_survives_it(yesterday: Hosting, settings: Any, subject: Subject, fault: str) -> None:
    settings.POOL_DEADLINE_SECONDS = 1.0
    yesterday.pool.fault(fault)

    failed = yesterday.sync(subject)
    yesterday.calm()
    repaired = yesterday.sync(subject)

    assert (failed.state, bool(failed.error)) == (SyncRun.State.FAILED, True)
    assert (repaired.state, repaired.error) == (SyncRun.State.OK, "")


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("wrong_signature", "key and secret do not belong together"),
        ("key_disabled", "switched off, or does not allow it from this address"),
        ("permission_missing", "allow it and MINING_POOL"),
    ],
)
def test_a_refused_key_is_told_and_used_no_more(yesterday: Hosting, fault: str, sentence: str) -> None:
    yesterday.pool.fault(fault)

    run = yesterday.sync()

    credential = yesterday.credential()
    assert (run.state, sentence in run.error) == (SyncRun.State.FAILED, True), run.error
    assert (credential.state, sentence in credential.problem) == (Credential.State.REFUSED, True)

    yesterday.calm()
    yesterday.verify(credential)
    assert yesterday.sync().state == SyncRun.State.OK
    assert yesterday.told() == yesterday.truth()


def test_a_pool_that_died_on_the_second_page_leaves_nothing_half(yesterday: Hosting, settings: Any) -> None:
    settings.POOL_DEADLINE_SECONDS = 1.0
    before = yesterday.told()
    yesterday.pool.fault("http_503", endpoint="rewards", skip=1)

    assert yesterday.sync().state == SyncRun.State.FAILED

    assert yesterday.told() == before


def test_a_short_hiccup_is_not_even_noticed(yesterday: Hosting, settings: Any) -> None:
    settings.POOL_DEADLINE_SECONDS = 10.0
    yesterday.pool.fault("http_502", times=2)

    assert yesterday.sync().state == SyncRun.State.OK
    assert yesterday.told() == yesterday.truth()


def test_no_secret_is_told_to_logs_or_rows(yesterday: Hosting) -> None:
    key = yesterday.pool.key("alpha")
    yesterday.pool.fault("wrong_signature")

    with structlog.testing.capture_logs() as logs:
        run = yesterday.sync()

    told = f"{logs} {vars(run)} {vars(yesterday.credential())}"
    assert key.secret not in told
    assert key.api_key not in told
    assert any(line["event"] == "key.refused" for line in logs)
