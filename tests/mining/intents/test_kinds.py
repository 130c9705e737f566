"""Every kind of intent is one class that says all of it."""

from __future__ import annotations

import inspect
from datetime import timedelta
from typing import Any

import pytest

from mining.intents.base import Act
from mining.intents.kinds import ACTS
from mining.models import PoolIntent
from portal.access import STAFF_ACTS
from portal.alerts.words import PLACES

SAID = ("question", "stuck", "in_doubt", "not_there", "answer_if_ours", "answer_if_not")
kinds = pytest.mark.parametrize("kind", list(PoolIntent.Kind))


@kinds
def test_every_kind_has_a_class_of_its_own_that_can_be_made(kind: PoolIntent.Kind) -> None:
    act: type[Act[Any, Any]] = ACTS[kind]

    assert act.kind == kind
    assert not inspect.isabstract(act)


@kinds
def test_every_kind_says_how_long_it_waits_who_decides_and_where(kind: PoolIntent.Kind) -> None:
    act = ACTS[kind]

    assert timedelta() < act.goes_out_within <= timedelta(hours=1)
    assert act.decided_by in STAFF_ACTS
    assert PLACES[kind].word


@kinds
def test_every_kind_has_its_words(kind: PoolIntent.Kind) -> None:
    assert [name for name in SAID if not getattr(ACTS[kind], name).strip()] == []


def test_nothing_is_registered_that_is_no_kind() -> None:
    assert sorted(ACTS) == sorted(PoolIntent.Kind) == sorted(PLACES)
