"""Pool keys: what is pasted, how it is checked, and how one takes over from another."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from customers.sealing import SealError, unseal
from mining import keys
from mining.errors import NoKey, Refused
from mining.models import Credential, SyncRun
from tests.mining.hosting import Hosting
from tests.sandbox import PoolKey, Sandbox

State = Credential.State


def paste(hosting: Hosting, api_key: str, secret: str, label: str = "second") -> Credential:
    with hosting.context():
        return keys.paste_key(hosting.access, label=label, api_key=api_key, secret=secret, now=timezone.now())


def states(hosting: Hosting) -> list[tuple[str, str]]:
    with hosting.context():
        return list(Credential.objects.order_by("pk").values_list("label", "state"))


def add_key(pool: Sandbox, login: str) -> PoolKey:
    made = pool.edit("add_key", login=login)
    return PoolKey(login, made["api_key"], made["secret"])


def test_a_good_key_becomes_active(north: Hosting) -> None:
    credential = north.credential()

    assert (credential.state, credential.problem) == (State.ACTIVE, "")
    assert credential.verified_at is not None
    with north.context():
        (run,) = SyncRun.objects.all()
    assert (run.subject, run.state, run.calls >= 2) == ("key", SyncRun.State.OK, True)


def test_the_secret_is_sealed_and_opens_only_in_its_place(north: Hosting) -> None:
    key, credential = north.pool.key("alpha"), north.credential()

    assert key.secret not in credential.sealed_secret
    assert key.api_key not in credential.sealed_api_key
    with north.context():
        place = Credential.objects.select_related("provider").get(pk=credential.pk).place
    assert unseal(credential.sealed_secret, place("secret")).reveal() == key.secret
    with pytest.raises(SealError):
        unseal(credential.sealed_secret, place("api_key"))


def test_a_process_without_private_keys_opens_nothing(north: Hosting, settings: Any) -> None:
    settings.POOL_SEALING_PRIVATE_KEYS = {}

    with pytest.raises(NoKey, match="only workers open pool keys"):
        keys.pool_client(north.provider.pk, "main")


@pytest.mark.parametrize(
    ("api_key", "secret", "sentence"),
    [
        ("", "s" * 64, "The API key is empty"),
        ("k" * 32, "  \n", "The secret is empty"),
        ("k" * 16 + " " + "k" * 15, "s" * 64, "The API key has a space"),
        ("k" * 32, "s" * 30 + "\n" + "s" * 30, "The secret has a space or line break"),
        ("k" * 15, "s" * 64, "15 characters long"),
        ("k" * 32, "s" * 257, "257 characters long"),
        ("k" * 31 + "é", "s" * 64, "characters that no key has"),
        ("k" * 32, "k" * 32, "look swapped"),
        ("s" * 64, "k" * 32, "look swapped"),
    ],
)
def test_what_cannot_be_a_key_is_refused(north: Hosting, api_key: str, secret: str, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence) as refused:
        paste(north, api_key, secret)

    assert secret.strip() == "" or secret not in str(refused.value)
    assert states(north) == [("main", State.ACTIVE)]


@pytest.mark.parametrize("label", ["", "  ", "l" * 65, "a\nb", "<b>"])
def test_a_label_must_be_a_name(north: Hosting, label: str) -> None:
    with pytest.raises(Refused, match="The label names"):
        paste(north, "k" * 32, "s" * 64, label)


def test_a_label_is_written_one_way(north: Hosting) -> None:
    with pytest.raises(Refused, match="There is a label 'main'"):
        paste(north, "k" * 32, "s" * 64, "Main")


def test_spaces_around_are_trimmed(north: Hosting) -> None:
    key = add_key(north.pool, "beta")

    assert north.verify(paste(north, f" {key.api_key}\n", f"\t{key.secret} ")).state == State.ACTIVE


def test_a_key_is_stored_once_for_a_provider_and_again_for_another(north: Hosting, south: Hosting) -> None:
    key = north.pool.key("alpha")

    with pytest.raises(Refused, match="under 'main' already, and works"):
        paste(north, key.api_key, key.secret, "main")
    with pytest.raises(Refused, match="a key has one WhiteBIT user only"):
        paste(north, key.api_key, key.secret, "second")
    with pytest.raises(Refused, match="look swapped"):
        paste(north, "k" * 32, key.api_key, "second")
    # Whether a neighbour has it is none of anybody's business.
    assert paste(south, key.api_key, key.secret, "second").state == State.CHECKING


def test_a_wrong_secret_is_refused_by_the_pool_and_can_be_pasted_again(north: Hosting) -> None:
    key = add_key(north.pool, "beta")
    wrong = paste(north, key.api_key, "0" * 64)

    with pytest.raises(Refused, match="key and secret do not belong together"):
        north.verify(wrong)
    assert states(north) == [("main", State.ACTIVE), ("second", State.REFUSED)]

    assert north.verify(paste(north, key.api_key, key.secret)).state == State.ACTIVE
    assert states(north)[1:] == [("second", State.RETIRED), ("second", State.ACTIVE)]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"enabled": False}, "switched off"),
        ({"permissions": []}, "MINING_POOL"),
        ({"endpoints": ["accounts"]}, "may not use rewards"),
    ],
)
def test_a_key_that_may_not_read_is_refused(north: Hosting, change: dict[str, Any], sentence: str) -> None:
    key = add_key(north.pool, "beta")
    north.pool.edit("set_key", api_key=key.api_key, **change)

    with pytest.raises(Refused, match=sentence):
        north.verify(paste(north, key.api_key, key.secret))

    with north.context():
        credential = Credential.objects.get(label="second")
    assert (credential.state, sentence in credential.problem) == (State.REFUSED, True)


def test_a_new_key_takes_over_without_a_gap(north: Hosting) -> None:
    north.sync_all()
    old = north.credential()
    key = add_key(north.pool, "alpha")
    new = paste(north, key.api_key, key.secret, "main")
    assert states(north) == [("main", State.ACTIVE), ("main", State.CHECKING)]
    assert north.sync().state == SyncRun.State.OK  # with the old one

    north.verify(new)

    assert states(north) == [("main", State.RETIRED), ("main", State.ACTIVE)]
    with north.context():
        retired = Credential.objects.get(pk=old.pk)
    assert (retired.sealed_api_key, retired.sealed_secret) == ("", "")
    north.pool.edit("set_key", api_key=north.pool.key("alpha").api_key, enabled=False)
    assert north.sync().state == SyncRun.State.OK


def test_the_key_of_another_user_is_refused_by_its_accounts(north: Hosting) -> None:
    north.sync_all()

    with pytest.raises(Refused, match="does not see the account 'alpha_east' that 'main' has"):
        north.verify(north.paste("beta"))

    assert states(north) == [("main", State.ACTIVE), ("main", State.REFUSED)]


def test_the_key_of_another_user_with_the_same_names_is_refused_by_its_rewards(north: Hosting) -> None:
    north.pool.reset(world="daytime", now="2026-10-20T15:00:00Z")  # both users have north and south, and no more
    north.sync_all()

    with pytest.raises(Refused, match="sees other rewards"):
        north.verify(north.paste("beta"))


def test_a_pool_that_is_away_leaves_the_key_to_be_checked(north: Hosting) -> None:
    key = add_key(north.pool, "beta")
    credential = paste(north, key.api_key, key.secret)
    north.pool.fault("http_503")

    with pytest.raises(Refused, match="out of order or in maintenance"):
        north.verify(credential)
    assert states(north)[1:] == [("second", State.CHECKING)]

    north.pool.clear_faults()
    assert north.verify(credential).state == State.ACTIVE


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
        keys.ask_verification(north.access, north.credential(), now=timezone.now())
    north.verify(north.credential())
    assert north.sync().state == SyncRun.State.OK


def test_a_right_that_only_some_readings_need_stops_only_those(north: Hosting) -> None:
    north.sync_all()
    endpoints = ["accounts", "rewards", "miners/info", "payout-destination"]
    north.pool.edit("set_key", api_key=north.pool.key("alpha").api_key, endpoints=endpoints)

    runs = {run.subject: run.state for run in north.sync_all()}

    assert runs == dict.fromkeys(["accounts", "rewards", "workers", "payouts"], "ok") | {"hashrate": "failed"}
    credential = north.credential()
    assert (credential.state, "may not use hashrate" in credential.problem) == (State.ACTIVE, True)
