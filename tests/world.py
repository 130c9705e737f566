"""The world of tests: always two providers and two customers each, with the same names, accounts and amounts.

Whatever leaks from one to the other looks right at first glance: so tests compare codes, which are never alike.
"""

from __future__ import annotations

import json
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client

from billing.models.contracts import Basis, Contract, ContractComponent, ContractVersion, FeeBearer
from billing.models.documents import Document, DocumentType
from customers import onboarding, tenancy, tokens
from customers.models import Customer, MemberKind, Membership, Provider, Role, User
from customers.sealing import seal
from customers.tenancy import Access, Kind
from mining.models import Credential, HashratePoint, MiningAccount, PoolLogin, QuarantinedRecord, Reward, SyncRun
from mining.models.rewards import RewardStatus
from portal.middleware import ACTING_AS, MEMBERSHIP
from portal.sessions import BEGAN, SEEN
from tests.logins import login_of

NOW = datetime(2026, 11, 4, 14, 32, tzinfo=UTC)
FIRST_DAY = date(2026, 10, 1)
PASSWORD = "correct horse battery staple"
CANARY = "canary-7f3e9b1d2c4a-pool-secret"  # planted as a pool secret: it must turn up nowhere


@dataclass
class Person:
    user: User
    membership: Membership
    access: Access

    def browser(self, *, fresh: bool = True) -> Client:
        """A signed-in browser of this person, with the membership chosen. Staff have just given a code once more:
        what a page answers without it is asked for by itself (`fresh=False`)."""
        client = Client()
        client.force_login(self.user)
        session = client.session
        session[MEMBERSHIP] = self.membership.code
        session[BEGAN] = session[SEEN] = time.time()
        if fresh and self.access.kind == Kind.STAFF:
            request: Any = SimpleNamespace(session=session)
            record_authentication(request, self.user, "mfa", reauthenticated=True)
        session.save()
        return client

    def form(self, **fields: object) -> dict[str, object]:
        """Fields as a form of ours posts them: with the membership's code."""
        return {ACTING_AS: self.membership.code, **fields}


@dataclass
class ClientOfProvider:
    """One customer with its users, account, contract and rewards."""

    customer: Customer
    owner: Person
    viewer: Person
    account: MiningAccount
    contract: Contract
    version: ContractVersion
    rewards: list[Reward]


@dataclass
class Tenant:
    provider: Provider
    system: Access
    owner: Person
    finance: Person
    support: Person
    auditor: Person
    token: str
    credential: Credential
    run: SyncRun
    clients: list[ClientOfProvider] = field(default_factory=list)

    @property
    def login(self) -> PoolLogin:
        return self.credential.login

    def context(self) -> AbstractContextManager[None]:
        return tenancy.provider_context(self.provider.pk)

    def api(self) -> Client:
        return Client(headers={"Authorization": f"Bearer {self.token}"})


@dataclass
class World:
    north: Tenant
    south: Tenant


def build_world() -> World:
    return World(north=build_tenant("north"), south=build_tenant("south"))


def build_tenant(slug: str) -> Tenant:
    system = onboarding.create_provider(slug=slug, name="Northmere Hosting", now=NOW)
    with tenancy.access_context(system):
        staff = {role: person(system, f"{role}@{slug}.example", role) for role in Role if role != Role.VIEWER}
        token = tokens.make_token(system, name="erp", scopes=["*"], ends_on=None, now=NOW).secret
        tenant = Tenant(
            provider=system.provider,
            system=system,
            owner=staff[Role.OWNER],
            finance=staff[Role.FINANCE],
            support=staff[Role.SUPPORT],
            auditor=staff[Role.AUDITOR],
            token=token,
            credential=_credential(system.provider),
            run=SyncRun.objects.create(
                provider=system.provider,
                login=login_of(system.provider),
                subject="rewards",
                state="ok",
                queued_at=NOW,
                started_at=NOW,
                finished_at=NOW,
            ),
        )
        for index, name in enumerate(("Alder & Finch", "Birch Mining")):
            tenant.clients.append(_client(tenant, index, name))
    return tenant


def person(system: Access, email: str, role: Role, customer: Customer | None = None) -> Person:
    user = User.objects.create_user(email, email.split("@")[0].title(), PASSWORD, now=NOW)
    kind = MemberKind.STAFF if customer is None else MemberKind.CUSTOMER
    membership = Membership.objects.create(
        provider=system.provider, user=user, kind=kind, customer=customer, role=role, created_at=NOW
    )
    if customer is None:
        TOTP.activate(user, generate_totp_secret())
    access = Access(Kind(kind.value), system.provider, customer, user, role, membership)
    return Person(user, membership, access)


def _credential(provider: Provider) -> Credential:
    credential = Credential(
        provider=provider,
        login=login_of(provider),
        state=Credential.State.ACTIVE,
        key_digest=f"digest of {provider.slug}'s key",
        key_hint="9f3a",
        created_at=NOW,
        verified_at=NOW,
        last_success_at=NOW,
    )
    credential.sealed_api_key = seal("api-key-of-the-world", credential.place("api_key"))
    credential.sealed_secret = seal(CANARY, credential.place("secret"))
    credential.save()
    return credential


def _client(tenant: Tenant, index: int, name: str) -> ClientOfProvider:
    provider = tenant.provider
    customer = Customer.objects.create(
        provider=provider, name=name, email=f"office@{index}.example", external_ref=f"C-{index}", created_at=NOW
    )
    slug = provider.slug
    owner = person(tenant.system, f"owner{index}@client-of-{slug}.example", Role.OWNER, customer)
    viewer = person(tenant.system, f"viewer{index}@client-of-{slug}.example", Role.VIEWER, customer)
    account = MiningAccount.objects.create(
        provider=provider,
        login=login_of(provider),
        name=f"client_{index}",
        customer=customer,
        state=MiningAccount.State.ACTIVE,
        first_seen_at=NOW,
        payout_destination="main_balance" if index == 0 else "external_address",
        payout_read_at=NOW,
        workers_online=50,
        workers_low=1,
        workers_offline=1,
        pool_fee_percent=Decimal("2.5"),
        workers_read_at=NOW,
        hashrate_read_at=NOW,
        rewards_read_at=NOW,
        rewards_read_in_full_at=NOW,
    )
    contract = Contract.objects.create(provider=provider, customer=customer, created_at=NOW)
    version = ContractVersion.objects.create(
        provider=provider, contract=contract, customer=customer, valid=(FIRST_DAY, None), created_at=NOW
    )
    ContractComponent.objects.create(
        provider=provider,
        version=version,
        customer=customer,
        position=1,
        kind="revenue_share",
        share_ppm=150_000,
        basis=Basis.NET,
        pool_fee_borne_by=FeeBearer.SHARED,
    )
    rewards = [
        make_reward(account, FIRST_DAY + timedelta(days=day), destination=account.payout_destination or "main_balance")
        for day in range(3)
    ]
    HashratePoint.objects.create(
        provider=provider,
        mining_account=account,
        customer=customer,
        at=NOW - timedelta(hours=1),
        hashrate_ths=Decimal("10050.5"),
    )
    return ClientOfProvider(customer, owner, viewer, account, contract, version, rewards)


def amounts(total: str, fee: str) -> dict[str, Any]:
    """A reward's money as sync would store it: at most 8 decimals, so satoshi are exact."""
    net = Decimal(total) - Decimal(fee)
    return {
        "total_raw": total,
        "net_raw": str(net),
        "fee_raw": fee,
        "total_amount": Decimal(total),
        "net_amount": net,
        "fee_amount": Decimal(fee),
        "total_sat": int(Decimal(total) * 10**8),
        "net_sat": int(net * 10**8),
        "fee_sat": int(Decimal(fee) * 10**8),
    }


def move_point(account: MiningAccount, at: datetime) -> None:
    """Its newest hashrate point as of another moment: a point's moment is its key, and no column that changes."""
    point = HashratePoint.objects.filter(mining_account=account).latest("at")
    HashratePoint.objects.filter(mining_account=account).delete()
    HashratePoint.objects.create(
        provider_id=account.provider_id, mining_account=account, at=at, hashrate_ths=point.hashrate_ths
    )


def make_reward(
    account: MiningAccount,
    day: date,
    *,
    total: str = "0.00100000",
    fee: str = "0.00002500",
    destination: str = "main_balance",
    status: str = RewardStatus.SUCCESSFUL,
    occurrence: int = 1,
) -> Reward:
    """A reward as sync would store it."""
    reward_at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    external = destination == "external_address"
    return Reward.objects.create(
        provider_id=account.provider_id,
        mining_account=account,
        reward_at=reward_at,
        day=day,
        currency="BTC",
        occurrence=occurrence,
        **amounts(total, fee),
        fpps_rate=Decimal("0.00000045"),
        hashrate_hs=Decimal(10_050_000_000_000_000),
        status=status,
        status_raw=status,
        payout_destination=destination,
        payout_address="bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4" if external else None,
        fingerprint=f"{account.pk}-{day}-{occurrence}",
        first_seen_at=NOW,
        changed_at=NOW,
    )


def draft_document(client: ClientOfProvider) -> Document:
    """October's draft of a customer, as yet without lines. Call it in the tenant's context."""
    return Document.objects.create(
        provider=client.customer.provider,
        customer=client.customer,
        contract=client.contract,
        period=(FIRST_DAY, date(2026, 11, 1)),
        type=DocumentType.SETTLEMENT,
        balance_sat=0,
        created_at=NOW,
        computed_at=NOW,
    )


def make_twin(tenant: Tenant) -> QuarantinedRecord:
    """A second record exactly like the first customer's first reward; the same again when asked twice."""
    reward = tenant.clients[0].rewards[0]
    raw = {
        "miningAccountName": tenant.clients[0].account.name,
        "date": int(reward.reward_at.timestamp()),
        "rewardCurrency": reward.currency,
        "totalReward": reward.total_raw,
        "reward": reward.net_raw,
        "fee": reward.fee_raw,
        "status": reward.status,
        "payoutDestination": reward.payout_destination,
    }
    record, _ = QuarantinedRecord.objects.get_or_create(
        provider=tenant.provider,
        login=tenant.login,
        account_name=tenant.clients[0].account.name,
        reason="twin",
        fingerprint="2",
        defaults={"sync_run": tenant.run, "raw": json.dumps(raw), "day": reward.day, "seen_at": NOW},
    )
    return record
