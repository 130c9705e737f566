"""A hundred lost answers; `python -m devkit.benchmarks.once_speed` makes ten thousand of them."""

from __future__ import annotations

import pytest

from tests.mining.hosting import set_up
from tests.mining.intents.lost_answers import LostAnswers
from tests.sandbox import Sandbox


@pytest.mark.long
def test_a_hundred_lost_answers_are_settled_without_a_second_call(whitepool: Sandbox) -> None:
    whitepool.reset(world="unmined", seed=7)

    proof = LostAnswers(set_up(whitepool, slug="north", login="quiet"), seed=11).run(100)

    assert proof.lost >= 100
    assert {state for _, state in proof.at_60_s} == {"done", "failed", "unknown"}
    assert {kind for kind, _ in proof.at_60_s} == {"create_account", "create_link", "edit_payout"}
    assert (proof.blind_retries, proof.duplicate_links, proof.adopted_of_others, proof.told_wrongly) == (0, 0, 0, 0)
