"""One token may call so often a minute; what is left is said with every answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from tests.portal.api.conftest import Caller, detail_of, with_scopes
from tests.world import NOW, World

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def three_a_minute(settings: Any) -> None:
    settings.API_CALLS_PER_MINUTE = 3


def test_a_token_that_has_made_its_calls_waits_for_the_next_minute(world: World, north: Caller, south: Caller) -> None:
    with time_machine.travel(NOW + timedelta(seconds=20), tick=False):
        answers = [north.get(path) for path in ("customers", "rewards/rew_none", "documents", "customers")]

        assert [answer.headers["RateLimit"] for answer in answers] == [
            f'"token";r={left};t=40' for left in (2, 1, 0, 0)
        ]
        assert {answer.headers["RateLimit-Policy"] for answer in answers} == {'"token";q=3;w=60'}
        said = "This token has made its 3 calls of this minute. Try again in 40 seconds."
        assert (detail_of(answers[3], 429), answers[3].headers["Retry-After"]) == (said, "40")
        assert south.get("customers").status_code == 200
        assert with_scopes(world.north, "*").get("customers").status_code == 200
    with time_machine.travel(NOW + timedelta(seconds=60), tick=False):
        assert north.get("customers").status_code == 200


def test_calls_that_lack_the_scope_count_too(world: World) -> None:
    caller = with_scopes(world.north, "alerts:read")
    with time_machine.travel(NOW, tick=False):
        assert [caller.get("customers").status_code for _ in range(4)] == [403, 403, 403, 429]


def test_without_redis_nobody_is_held_back(world: World, north: Caller, settings: Any) -> None:
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": "redis://127.0.0.1:1/0"}}

    assert [north.get("customers").status_code for _ in range(5)] == [200] * 5
