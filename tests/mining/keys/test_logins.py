"""Logins: made by their first key, told apart by letters and not by capitals, and renamed by a person."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest
from django.db import IntegrityError, connection
from django.utils import timezone

from customers import tenancy
from customers.errors import Refused
from customers.models import AuditEntry
from mining.keys import logins
from mining.models import Credential, PoolLogin
from tests.logins import login_of
from tests.mining.hosting import Hosting
from tests.mining.keys.pasting import add_key, paste, states
from tests.refusals import refused
from tests.waiting import ended, in_thread, waits_for_us
from tests.world import NOW, Tenant, World

SECRET = "s" * 64


def names(tenant: Hosting | Tenant) -> list[str]:
    with tenant.context():
        return list(PoolLogin.objects.order_by("pk").values_list("name", flat=True))


def rename(tenant: Tenant, login: PoolLogin, name: str) -> None:
    with tenant.context():
        logins.rename_login(tenant.owner.access, login, name, now=NOW)


@pytest.fixture
def tenant(world: World) -> Tenant:
    return world.north


def named(tenant: Tenant, name: str) -> PoolLogin:
    with tenant.context():
        return logins.login_named(tenant.owner.access, name, now=NOW)


# --- Made by their first key


@pytest.mark.parametrize("name", ["", "  ", "l" * 65, "a\x00b", "<b>"])
def test_a_login_must_have_a_name(tenant: Tenant, name: str) -> None:
    with refused("login.name_invalid"):
        named(tenant, name)


@pytest.mark.parametrize("typed", ["MAIN", "Main", " main "])
def test_a_key_pasted_with_other_capitals_is_of_the_same_login(north: Hosting, typed: str) -> None:
    key = add_key(north.pool, "alpha")

    north.verify(paste(north, key.api_key, key.secret, typed))

    assert names(north) == ["main"]
    assert states(north) == [("main", "retired"), ("main", "active")]


def test_capitals_of_every_script_are_told_apart_as_the_database_does_it(tenant: Tenant) -> None:
    assert named(tenant, "Mühle Öst") == named(tenant, "MÜHLE öst") == named(tenant, "mu\u0308hle ÖST")
    assert names(tenant)[1:] == [unicodedata.normalize("NFC", "Mühle Öst")]


def test_a_key_that_is_refused_leaves_no_login_behind(north: Hosting) -> None:
    key = north.pool.key("alpha")

    with refused("key.of_other_login"):
        paste(north, key.api_key, key.secret, "second")

    assert names(north) == ["main"]


def test_two_who_paste_main_and_main_with_a_capital_at_once_have_one_login(south: Hosting) -> None:
    first, second = add_key(south.pool, "beta"), add_key(south.pool, "beta")
    with south.context():  # not committed yet while the other one comes
        paste(south, first.api_key, first.secret, "Prime")
        other = in_thread(lambda: paste(south, second.api_key, second.secret, "prime"))
        assert waits_for_us(other)
    ended(other)

    assert names(south) == ["main", "Prime"]
    with south.context():
        assert Credential.objects.filter(login__name="Prime").count() == 2


def test_when_the_first_to_name_a_login_is_refused_after_all_the_second_makes_it(south: Hosting) -> None:
    key = add_key(south.pool, "beta")
    with pytest.raises(RuntimeError), south.context():
        paste(south, "k" * 32, SECRET, "Prime")
        other = in_thread(lambda: paste(south, key.api_key, key.secret, "prime"))
        assert waits_for_us(other)
        raise RuntimeError
    ended(other)

    assert names(south) == ["main", "prime"]


def test_the_database_keeps_names_apart_within_a_provider_only(tenant: Tenant) -> None:
    assert [name.lower() for name in names(tenant)] == ["main"]  # as the neighbour has one
    with tenant.context(), pytest.raises(IntegrityError, match="mining_login_name"):
        PoolLogin.objects.create(provider=tenant.provider, name="MAIN", created_at=NOW)


# --- Renamed


def test_renaming_is_written_in_the_audit_and_keeps_every_row(tenant: Tenant) -> None:
    login, account = tenant.login, tenant.clients[0].account

    rename(tenant, login, " Prime ")

    with tenant.context():
        account.refresh_from_db()
        entry = AuditEntry.objects.get(action="login.renamed")
        assert (account.login.name, tenant.run.login_id) == ("Prime", login.pk)
    assert (entry.subject, entry.actor, entry.details) == (
        login.code,
        "owner@north.example",
        {"before": "main", "name": "Prime"},
    )


def test_only_capitals_may_change_and_the_same_name_changes_nothing(tenant: Tenant) -> None:
    rename(tenant, tenant.login, "MAIN")
    rename(tenant, tenant.login, "MAIN")

    assert names(tenant) == ["MAIN"]
    with tenant.context():
        assert AuditEntry.objects.filter(action="login.renamed").count() == 1


def test_a_name_that_another_login_has_is_refused(tenant: Tenant) -> None:
    with tenant.context():
        login_of(tenant.provider, "Prime")

    with refused("login.name_taken"):
        rename(tenant, tenant.login, "PRIME")

    assert (tenant.login.name, names(tenant)) == ("main", ["main", "Prime"])


def test_two_who_give_two_logins_one_name_at_once_end_with_one_of_it(south: Hosting) -> None:
    with south.context():
        main, second = PoolLogin.objects.get(), login_of(south.provider, "second")
    refusals: list[Refused] = []

    def too_late() -> None:
        with tenancy.access_context(south.access):
            try:
                logins.rename_login(south.access, second, "prime", now=timezone.now())
            except Refused as refusal:
                refusals.append(refusal)

    with south.context():
        logins.rename_login(south.access, main, "Prime", now=timezone.now())
        other = in_thread(too_late)
        assert waits_for_us(other)
    ended(other)

    assert names(south) == ["Prime", "second"]
    assert [(refusal.code, refusal.params) for refusal in refusals] == [("login.name_taken", {"login": "Prime"})]


def test_a_login_is_renamed_while_its_rows_are_written(south: Hosting) -> None:
    """Nobody waits: the key of a row that others point at does not change with its name."""
    with south.context():
        login = PoolLogin.objects.get()
        Credential.objects.create(
            provider=south.provider, login=login, state="refused", key_digest="2", key_hint="x", created_at=NOW
        )
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # looks now for the rows that it points at, and holds them
        other = in_thread(_renaming(south, login))
        assert not waits_for_us(other)
    ended(other)

    assert names(south) == ["Prime"]


def _renaming(hosting: Hosting, login: PoolLogin) -> Callable[[], None]:
    def act() -> None:
        with tenancy.access_context(hosting.access):
            logins.rename_login(hosting.access, login, "Prime", now=timezone.now())

    return act
