"""Probes of both walls: what forgotten filters, reused connections, threads and rollbacks can see."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from threading import Barrier
from typing import Any

import pytest
from django.db import InternalError, OperationalError, ProgrammingError, connection, connections, transaction
from django.db.utils import Error
from django.test.utils import CaptureQueriesContext

from billing.models import Contract
from customers import audit, onboarding, tenancy
from customers.models import ApiToken, AuditEntry, Customer, Invitation, MemberKind, Membership, Role
from mining.models import Credential, MiningAccount, Reward
from portal.access import memberships_of
from tests.logins import login_of
from tests.waiting import LAST_RESORT_SECONDS
from tests.world import NOW, World


def test_raw_sql_without_context_sees_nothing(world: World) -> None:
    with connection.cursor() as cursor:
        for table in (
            "customers_customer",
            "mining_reward",
            "billing_contract",
            "customers_apitoken",
            "mining_credential",
        ):
            cursor.execute(f"SELECT count(*) FROM {table}")
            assert cursor.fetchone() == (0,), table


def test_a_forgotten_filter_shows_only_the_own_provider(world: World) -> None:
    with tenancy.access_context(world.north.system):
        seen = set(Customer.objects.values_list("code", flat=True))
    assert seen == {client.customer.code for client in world.north.clients}


def test_a_customers_context_shows_that_customer_only(world: World) -> None:
    first = world.north.clients[0]
    with tenancy.access_context(first.owner.access):
        assert list(Customer.objects.all()) == [first.customer]
        assert set(Reward.objects.all()) == set(first.rewards)
        assert list(MiningAccount.objects.all()) == [first.account]
        assert not Credential.objects.exists()
        assert not AuditEntry.objects.exists()


def test_a_context_without_customer_shows_nothing(world: World) -> None:
    with tenancy._entered(tenancy.Context(provider=str(world.north.provider.pk))):
        assert not Customer.objects.exists()
        assert not Reward.objects.exists()


def test_visible_to_filters_in_code_what_the_database_filters_again(world: World) -> None:
    first = world.north.clients[0]
    with tenancy.access_context(world.north.system):
        assert set(Reward.objects.visible_to(world.north.system)) == set(Reward.objects.all())
        assert set(Reward.objects.visible_to(first.owner.access)) == set(first.rewards)
        assert not Credential.objects.visible_to(first.owner.access).exists()
        assert not Customer.objects.visible_to(world.south.system).exists()


def test_a_row_for_another_provider_is_refused(world: World) -> None:
    with pytest.raises(ProgrammingError, match="row-level security"), tenancy.access_context(world.north.system):
        Customer.objects.create(provider=world.south.provider, name="x", email="x@x.example", created_at=NOW)


def test_a_customer_cannot_write_a_row_of_another_customer(world: World) -> None:
    first, second = world.north.clients
    with pytest.raises(ProgrammingError, match="row-level security"), tenancy.access_context(first.owner.access):
        Contract.objects.create(provider=world.north.provider, customer=second.customer, created_at=NOW)


def test_a_customers_act_writes_the_audit_that_the_customer_cannot_read(world: World) -> None:
    access = world.north.clients[0].owner.access
    with tenancy.access_context(access):
        audit.record(access, "probe", "x", now=NOW)
        assert not AuditEntry.objects.exists()
    with tenancy.access_context(world.north.system):
        assert AuditEntry.objects.filter(action="probe").count() == 1


def test_a_relation_to_another_providers_row_is_refused(world: World) -> None:
    stranger = world.south.clients[0].account.pk
    with pytest.raises(Error, match=r"same_tenant|mining account"), tenancy.access_context(world.north.system):
        Reward.objects.filter(pk=world.north.clients[0].rewards[0].pk).update(mining_account=stranger)
        _check_now()
    with pytest.raises(Error, match="same_tenant"), tenancy.access_context(world.north.system):
        Membership.objects.filter(pk=world.north.clients[0].owner.membership.pk).update(
            customer=world.south.clients[0].customer.pk
        )
        _check_now()


def _check_now() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_the_chooser_sees_the_users_own_memberships_and_no_others(world: World) -> None:
    user = world.north.owner.user
    with tenancy.access_context(world.south.system):
        Membership.objects.create(
            provider=world.south.provider, user=user, kind=MemberKind.STAFF, role=Role.AUDITOR, created_at=NOW
        )
    assert [(m.provider.slug, m.role) for m in memberships_of(user)] == [("north", "owner"), ("south", "auditor")]


def test_a_presented_secret_opens_exactly_its_own_row(world: World) -> None:
    with tenancy.lookup_context(world.north.token):
        assert [token.provider.slug for token in ApiToken.objects.select_related("provider")] == ["north"]
        assert not Customer.objects.exists()
    with tenancy.lookup_context("hpt_guess"):
        assert not ApiToken.objects.exists()
        assert not Invitation.objects.exists()


def test_contexts_refuse_to_nest_in_another_provider(world: World) -> None:
    with tenancy.access_context(world.north.system):
        with pytest.raises(tenancy.WrongContext), tenancy.access_context(world.south.system):
            pass
        assert Customer.objects.count() == 2


def test_a_context_restores_what_was_before_after_success_and_after_failure(world: World) -> None:
    first = world.north.clients[0].owner.access
    with tenancy.access_context(world.north.system):
        inside = tenancy.in_effect()
        with tenancy.access_context(first):
            assert tenancy.in_effect() != inside
        assert tenancy.in_effect() == tenancy.current() == inside
        with pytest.raises(ValueError, match="probe"), tenancy.access_context(first):
            raise ValueError("probe")
        assert tenancy.in_effect() == tenancy.current() == inside
    assert tenancy.in_effect() == tenancy.current() == tenancy.NOBODY


def test_what_is_remembered_of_a_context_is_what_the_database_has_whatever_is_rolled_back(world: World) -> None:
    """Random histories of contexts, blocks, failures and rollbacks, one inside the other."""
    system, user = world.north.system, world.north.owner.user
    contexts: list[Callable[[], AbstractContextManager[Any]]] = [
        lambda: tenancy.access_context(system),
        lambda: tenancy.access_context(world.north.clients[0].owner.access),
        lambda: tenancy.user_context(user.pk),
        lambda: tenancy.lookup_context("hpt_guess"),
        tenancy.nobody_context,
        lambda: transaction.atomic(),
        lambda: transaction.atomic(savepoint=False),
    ]
    seen: set[tenancy.Context] = set()

    def play(dice: random.Random, depth: int) -> None:
        for _ in range(dice.randint(1, 3)):
            with suppress(InternalError), transaction.atomic(), dice.choice(contexts)():
                if dice.random() < 0.2:
                    with suppress(tenancy.WrongContext):
                        tenancy.enter(dice.choice([system, None]))
                _agree(seen)
                if depth:
                    play(dice, depth - 1)
                if dice.random() < 0.2:
                    raise InternalError("probe")
                if dice.random() < 0.2:
                    transaction.set_rollback(True)
            _agree(seen)

    for seed in range(40):
        play(random.Random(seed), 3)
    assert len(seen) > 6


def _agree(seen: set[tenancy.Context]) -> None:
    if connection.needs_rollback:  # nothing can be asked until the block around has ended
        return
    assert tenancy.current() == tenancy.in_effect()
    seen.add(tenancy.current())


def test_a_context_is_not_switched_in_a_block_that_could_be_rolled_back_by_itself(world: World) -> None:
    with tenancy.nobody_context():
        with pytest.raises(tenancy.WrongContext), transaction.atomic():
            tenancy.enter(world.north.system)
        assert tenancy.in_effect() == tenancy.NOBODY
        tenancy.enter(world.north.system)
        assert tenancy.in_effect().provider == str(world.north.provider.pk)
        with pytest.raises(tenancy.WrongContext):
            tenancy.enter(world.south.system)
    with pytest.raises(tenancy.WrongContext):
        tenancy.enter(world.north.system)


@pytest.mark.django_db(transaction=True)
def test_a_context_costs_one_statement_beside_its_transaction(transactional_db: None, world: World) -> None:
    with CaptureQueriesContext(connection) as sent, tenancy.access_context(world.north.system):
        assert Customer.objects.count() == 2
        with tenancy.access_context(world.north.system):
            assert Customer.objects.count() == 2
    assert [query["sql"].split()[0] for query in sent] == [
        "BEGIN",
        "SELECT",
        "SELECT",
        "SAVEPOINT",
        "SELECT",
        "RELEASE",
        "COMMIT",
    ]
    assert tenancy.in_effect() == tenancy.NOBODY


@pytest.mark.django_db(transaction=True)
def test_what_runs_after_the_commit_is_in_no_context(transactional_db: None, world: World) -> None:
    seen = []
    with tenancy.access_context(world.north.system):
        transaction.on_commit(lambda: seen.extend([tenancy.current(), tenancy.in_effect()]))
    assert seen == [tenancy.NOBODY, tenancy.NOBODY]


@pytest.mark.django_db(transaction=True)
def test_a_context_whose_connection_was_lost_is_forgotten(transactional_db: None, world: World) -> None:
    with pytest.raises(OperationalError), tenancy.access_context(world.north.system), connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert tenancy.current() == tenancy.NOBODY
    with tenancy.access_context(world.south.system):
        assert set(Customer.objects.all()) == {client.customer for client in world.south.clients}


def test_a_streamed_export_is_not_empty_and_sees_its_own_tenant_only(world: World) -> None:
    access = world.north.system
    lines = tenancy.stream(access, lambda: (c.code.encode() for c in Customer.objects.order_by("pk")))
    assert list(lines) == [client.customer.code.encode() for client in world.north.clients]


def test_append_only_rows_cannot_be_changed_or_removed(world: World) -> None:
    for act in (lambda: AuditEntry.objects.update(action="x"), lambda: AuditEntry.objects.all().delete()):
        with pytest.raises(ProgrammingError, match="permission denied"), tenancy.access_context(world.north.system):
            act()


def test_a_mining_account_stays_with_its_customer(world: World) -> None:
    first, second = world.north.clients
    for change in ({"customer": None}, {"customer": second.customer}, {"name": "other"}):
        with pytest.raises(Error), tenancy.access_context(world.north.system):
            MiningAccount.objects.filter(pk=first.account.pk).update(**change)


def test_rewards_follow_an_unassigned_account_to_its_customer(world: World) -> None:
    provider = world.north.provider
    with tenancy.access_context(world.north.system):
        customer = Customer.objects.create(provider=provider, name="New", email="n@n.example", created_at=NOW)
        account = MiningAccount.objects.create(
            provider=provider, login=login_of(provider), name="stray", state="unknown", first_seen_at=NOW
        )
        from tests.world import FIRST_DAY, make_reward

        reward = make_reward(account, FIRST_DAY)
        assert Reward.objects.get(pk=reward.pk).customer is None
        account.customer = customer
        account.save(update_fields=["customer"])
        assert Reward.objects.get(pk=reward.pk).customer == customer


@pytest.mark.django_db(transaction=True)
def test_reused_connections_over_threads_never_show_a_foreign_row(world: World) -> None:
    tenants = [world.north, world.south]
    expected = {t.provider.pk: {c.customer.code for c in t.clients} for t in tenants}
    barrier = Barrier(8)

    def visits(seed: int) -> int:
        dice, wrong = random.Random(seed), 0
        barrier.wait(LAST_RESORT_SECONDS)
        for _ in range(150):
            tenant = dice.choice(tenants)
            try:
                with tenancy.access_context(tenant.system):
                    wrong += set(Customer.objects.values_list("code", flat=True)) != expected[tenant.provider.pk]
                    if dice.random() < 0.3:
                        raise InternalError("probe")
                    if dice.random() < 0.2:
                        transaction.set_rollback(True)
            except InternalError:
                pass
            wrong += Customer.objects.exists()
        connections.close_all()
        return wrong

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(visits, range(8))) == 0


def test_an_invitation_is_accepted_once(world: World) -> None:
    with tenancy.access_context(world.north.system):
        invited = onboarding.invite(
            world.north.system, email="New@Person.example ", kind=MemberKind.STAFF, role=Role.SUPPORT, now=NOW
        )
    from customers.models import User

    user = User.objects.create_user("new@person.example", "New", "x", now=NOW)
    membership = onboarding.accept_invitation(invited.secret, user, now=NOW)
    assert (membership.kind, membership.role, membership.provider) == ("staff", "support", world.north.provider)
    for person in (user, world.south.owner.user):
        with pytest.raises(onboarding.InvitationGone):
            onboarding.accept_invitation(invited.secret, person, now=NOW)
