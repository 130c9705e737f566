"""A sealed value opens in its own place, with the private key, and nowhere else."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import pytest

from customers.sealing import Place, SealError, Secret, new_key_pair, seal, unseal
from portal.environment import sealing_keys

PLACE = Place(provider="prv_a", credential="crd_a", field="secret")


def test_a_web_process_seals_and_cannot_open() -> None:
    sealed = seal("hunter2", PLACE)
    assert "hunter2" not in sealed
    with pytest.raises(SealError, match="only workers"):
        unseal(sealed, PLACE)


def test_a_worker_opens_what_the_web_sealed(worker_keys: None) -> None:
    assert unseal(seal("hunter2", PLACE), PLACE).reveal() == "hunter2"


@pytest.mark.parametrize("moved", [{"provider": "prv_b"}, {"credential": "crd_b"}, {"field": "api_key"}])
def test_a_value_moved_to_another_place_does_not_open(worker_keys: None, moved: dict[str, str]) -> None:
    with pytest.raises(SealError, match="another place"):
        unseal(seal("hunter2", PLACE), replace(PLACE, **moved))


def test_a_changed_value_does_not_open(worker_keys: None) -> None:
    sealed = seal("hunter2", PLACE)
    flipped = sealed[:20] + ("A" if sealed[20] != "A" else "B") + sealed[21:]
    with pytest.raises(SealError):
        unseal(flipped, PLACE)


def test_the_first_public_key_seals_and_old_ones_still_open(settings: Any) -> None:
    (old_private, old_public), (new_private, new_public) = new_key_pair(), new_key_pair()
    settings.POOL_SEALING_PUBLIC_KEYS = {"old": _raw(old_public)}
    sealed_before = seal("hunter2", PLACE)
    settings.POOL_SEALING_PUBLIC_KEYS = {"new": _raw(new_public), "old": _raw(old_public)}
    settings.POOL_SEALING_PRIVATE_KEYS = {"new": _raw(new_private), "old": _raw(old_private)}
    assert seal("x", PLACE).startswith("new:")
    assert unseal(sealed_before, PLACE).reveal() == "hunter2"


def _raw(encoded: str) -> bytes:
    import os

    os.environ["PROBE_KEYS"] = f"k:{encoded}"
    return sealing_keys("PROBE_KEYS", "test", required=True)["k"]


def test_a_secret_shows_itself_to_nobody() -> None:
    secret = Secret("hunter2")
    assert "hunter2" not in f"{secret!r} {secret} {[secret]}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
