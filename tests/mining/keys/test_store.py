"""Pool keys: what is pasted, and how one takes over from another."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from customers.models import AuditEntry
from customers.sealing import SealError, seal, unseal
from mining import runner
from mining.keys import store as key_store
from mining.models import Credential, SyncRun
from mining.models.runs import Subject
from tests.mining.hosting import Hosting
from tests.mining.keys.pasting import add_key, newest, paste, states
from tests.refusals import refused
from tests.waiting import ended, in_thread, waits_for_us

State = Credential.State


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

    with refused("key.not_opened"):
        key_store.open_key(north.provider.pk, north.login_id)


@pytest.mark.parametrize(
    ("api_key", "secret", "code"),
    [
        ("", "s" * 64, "key.empty"),
        ("k" * 32, "  \n", "key.empty"),
        ("k" * 16 + " " + "k" * 15, "s" * 64, "key.spaced"),
        ("k" * 32, "s" * 30 + "\n" + "s" * 30, "key.spaced"),
        ("k" * 15, "s" * 64, "key.odd_length"),
        ("k" * 32, "s" * 257, "key.odd_length"),
        ("k" * 31 + "é", "s" * 64, "key.odd_characters"),
        ("k" * 32, "k" * 32, "key.swapped"),
        ("s" * 64, "k" * 32, "key.swapped"),
    ],
)
def test_what_cannot_be_a_key_is_refused(north: Hosting, api_key: str, secret: str, code: str) -> None:
    with refused(code) as refusal:
        paste(north, api_key, secret)

    assert secret.strip() == "" or secret not in str(refusal.value)
    assert states(north) == [("main", State.ACTIVE)]


def test_spaces_around_are_trimmed(north: Hosting) -> None:
    key = add_key(north.pool, "beta")

    assert north.verify(paste(north, f" {key.api_key}\n", f"\t{key.secret} ")).state == State.ACTIVE


def test_a_key_is_stored_once_and_a_provider_learns_of_its_own_only(north: Hosting, south: Hosting) -> None:
    key = north.pool.key("alpha")

    with refused("key.works_already"):
        paste(north, key.api_key, key.secret, "main")
    with refused("key.of_other_login"):
        paste(north, key.api_key, key.secret, "second")
    with refused("key.swapped"):
        paste(north, "k" * 32, key.api_key, "second")
    with refused("key.not_usable_here"):
        paste(south, key.api_key, key.secret, "second")
    assert states(south) == [("main", State.ACTIVE)]


def test_of_two_providers_that_paste_one_key_at_once_one_has_it(north: Hosting, south: Hosting) -> None:
    key = add_key(north.pool, "alpha")
    with north.context():  # not committed yet while the other one comes
        key_store.paste_key(
            north.access, login_name="second", api_key=key.api_key, secret=key.secret, now=timezone.now()
        )
        other = in_thread(lambda: paste(south, key.api_key, key.secret))
        assert waits_for_us(other)
    ended(other)

    # Nobody has it yet: pasting alone claims nothing. The first that the pool accepts has it.
    assert (states(north)[1:], states(south)[1:]) == ([("second", State.CHECKING)], [("second", State.CHECKING)])
    with south.context():
        theirs = Credential.objects.get(login__name="second")
    assert north.verify(newest(north)).state == State.ACTIVE
    with refused("key.not_usable_here"):
        south.verify(theirs)
    assert (newest(south).state, newest(south).problem) == (State.REFUSED, str(key_store.kept_elsewhere()))
    assert newest(south).verified_at is None
    with south.context():
        assert AuditEntry.objects.filter(action="credential.refused", subject=theirs.code).count() == 1


def test_who_knows_an_api_key_and_not_its_secret_cannot_keep_its_owner_out(north: Hosting, south: Hosting) -> None:
    key = add_key(north.pool, "alpha")
    blocking = paste(south, key.api_key, "0" * 64)
    with refused("key.not_accepted"):
        south.verify(blocking)

    mine = paste(north, key.api_key, key.secret, "main")

    assert north.verify(mine).state == State.ACTIVE


def test_a_key_that_was_verified_keeps_its_place_while_the_pool_refuses_it(north: Hosting, south: Hosting) -> None:
    key = north.pool.key("alpha")
    with north.context():
        Credential.objects.update(state=State.REFUSED)

    with refused("key.not_usable_here"):
        paste(south, key.api_key, key.secret)

    with north.context():
        key_store.withdraw(north.access, north.credential(), now=timezone.now())
    assert south.verify(paste(south, key.api_key, key.secret)).state == State.ACTIVE


def test_a_digest_of_before_is_renewed_when_a_worker_opens_the_key(north: Hosting) -> None:
    digest = north.credential().key_digest
    with north.context():
        Credential.objects.update(key_digest="made for north only")

    north.sync()
    assert north.credential().key_digest == digest


def test_a_key_of_before_works_on_when_a_neighbour_has_it_by_now(north: Hosting, south: Hosting) -> None:
    old, key = "made for north only", north.pool.key("alpha")
    with north.context():
        Credential.objects.update(key_digest=old)
    wrong = paste(south, key.api_key, "0" * 64)
    with refused("key.not_accepted"):
        south.verify(wrong)

    assert north.sync().state == SyncRun.State.OK  # what was only pasted is not in the way
    assert (north.credential().state, north.credential().key_digest) == (State.ACTIVE, wrong.key_digest)

    with north.context():
        Credential.objects.update(key_digest=old)
    assert south.verify(paste(south, key.api_key, key.secret)).state == State.ACTIVE  # with the secret it is

    assert north.sync().state == SyncRun.State.OK
    assert (north.credential().state, north.credential().problem) == (State.ACTIVE, key_store.REPLACE_IT)


def test_a_key_of_before_that_is_not_in_use_is_refused_when_a_neighbour_has_it_by_now(
    north: Hosting, south: Hosting
) -> None:
    with south.context():
        theirs = Credential.objects.get()
        theirs.sealed_api_key = seal(north.pool.key("alpha").api_key, theirs.place("api_key"))
        theirs.state = State.CHECKING
        theirs.save(update_fields=["sealed_api_key", "state"])

    with refused("key.not_usable_here"):
        south.verify(theirs)

    assert (south.credential().state, south.credential().problem) == (State.REFUSED, str(key_store.kept_elsewhere()))
    with south.context():
        assert AuditEntry.objects.filter(action="credential.refused").count() == 1


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


def test_a_key_is_replaced_while_a_reading_with_the_old_one_is_under_way(north: Hosting) -> None:
    north.sync_all()
    key = add_key(north.pool, "alpha")
    new = paste(north, key.api_key, key.secret, "main")
    north.pool.hold("hashrate", calls=3)  # all of the reading
    done: list[SyncRun] = []

    def read() -> None:
        done.extend(runner.sync_provider(north.provider.pk, only=Subject.HASHRATE, now=timezone.now()))

    reading = in_thread(read)
    north.pool.until_struck(3)
    north.verify(new)
    assert reading.is_alive()
    assert states(north) == [("main", State.RETIRED), ("main", State.ACTIVE)]
    north.pool.clear_faults()
    ended(reading)

    assert [(run.state, run.error) for run in done] == [(SyncRun.State.OK, "")]
    assert {run.state for run in north.sync_all()} == {SyncRun.State.OK}
