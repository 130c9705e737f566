"""Ten thousand lost answers: `python -m devkit.benchmarks.once_speed [LOSSES] [SEED]`.

Creating accounts, creating watcher links and editing payout destinations through the real client against the real
sandbox, with real rows; the answer of every call is lost (resets, time-outs, 5xx, cut and empty bodies, before and
after the pool acted), lists lag, and sometimes nothing can be looked up for a minute. What must not happen is counted
from the sandbox's truth and log. On servers of its own, in a process of its own: settings are read once.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time

LOSSES, SEED = 10_000, 11
STATES = ("done", "failed", "unknown")


def main() -> None:
    subprocess.run([sys.executable, "-m", "devkit.benchmarks.once_speed"], check=True)


def measure(losses: int, seed: int) -> None:
    from tests import plugin

    os.environ["POOL_SEALING_PRIVATE_KEYS"] = plugin.PRIVATE_KEYS  # as a worker does: it opens pool keys
    import django

    django.setup()
    logging.disable(logging.CRITICAL)  # figures only
    from django.conf import settings

    from tests import database
    from tests.mining.hosting import set_up
    from tests.mining.intents.lost_answers import LostAnswers, Proof
    from tests.sandbox import start_sandbox

    settings.POOL_DEADLINE_SECONDS = 1.0
    settings.POOL_BACK_OFF_SECONDS = (0.02, 0.1)
    database.make(with_world=False)
    began = time.monotonic()
    proof = Proof()
    try:
        with start_sandbox("unmined", 7) as sandbox:
            settings.WHITEPOOL_BASE_URL = sandbox.base_url
            proof = LostAnswers(set_up(sandbox, slug="bench", login="quiet"), seed=seed).run(losses)
    finally:
        database.drop_all()
    show(proof, time.monotonic() - began)


def row(counts: list[int]) -> str:
    return f"{counts[0]:7,} {counts[1]:7,} {counts[2]:8,}"


def show(proof: object, seconds: float) -> None:
    from tests.mining.intents.lost_answers import CALL, Proof

    if not isinstance(proof, Proof):
        raise TypeError(type(proof).__name__)
    print(f"{proof.lost:,} lost answers in {seconds:,.0f} s, {proof.calls:,} calls")
    head = f"{'done':>7} {'failed':>7} {'unknown':>8}"
    print(f"{'':16}{'after 60 s:':>12} {head}{'in the end:':>14} {head}")
    for kind in CALL:
        early, late = ([found[kind, state] for state in STATES] for found in (proof.at_60_s, proof.at_the_end))
        print(f"{kind:28} {row(early)}{'':14} {row(late)}")
    print(f"blind retries               {proof.blind_retries:7,}")
    print(f"duplicate links             {proof.duplicate_links:7,}")
    print(f"accounts of others adopted  {proof.adopted_of_others:7,}")
    print(f"told otherwise than it is   {proof.told_wrongly:7,}")
    print(f"links over before any look  {proof.over_unseen:7,}")


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    measure(*(given + [LOSSES, SEED][len(given) :]))
