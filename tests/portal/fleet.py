"""Machines for the tests of pages and API: a month that was read; one is down, one flapped, one is retired."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mining.fleet import exclusions
from mining.models import Counts, Coverage, Exclusion, MiningAccount, OpenCoverage, Outage, Worker
from tests.world import NOW, ClientOfProvider, Tenant

BEGAN = datetime(2026, 10, 1, tzinfo=UTC)
READ_AT = NOW - timedelta(minutes=2)
FELL = datetime(2026, 11, 4, 13, 5, tzinfo=UTC)
FIVE = timedelta(minutes=5)


def a_fleet(tenant: Tenant, *, index: int = 0) -> dict[str, Worker]:
    """Ten machines since October and one that is retired; made once. Nothing was read on 9 October until noon."""
    client = tenant.clients[index]
    with tenant.context():
        known = {row.name: row for row in Worker.objects.filter(mining_account=client.account)}
        return known or _made(tenant, client)


def _made(tenant: Tenant, client: ClientOfProvider) -> dict[str, Worker]:
    account = client.account
    facts = {
        "first_seen_at": BEGAN,
        "counts_since": FELL,
        "workers_online": 8,
        "workers_low": 1,
        "workers_offline": 1,
        "workers_read_at": READ_AT,
        "site": "Bergvik hall 2",
    }
    MiningAccount.objects.filter(pk=account.pk).update(**facts)
    account.refresh_from_db()
    names = [f"rig{number}" for number in range(10)]
    Worker.objects.bulk_create(
        Worker(
            provider_id=account.provider_id, mining_account=account, customer=client.customer, name=name,
            first_seen_at=BEGAN, last_seen_at=BEGAN, retired_at=BEGAN if name == "old" else None,
        )
        for name in (*names, "old")
    )  # fmt: skip
    workers = {row.name: row for row in Worker.objects.filter(mining_account=account)}
    gap = BEGAN + timedelta(days=8)
    for subject in ("counts", "names"):
        spans = {"provider_id": account.provider_id, "mining_account": account, "subject": subject}
        Coverage.objects.create(**spans, from_at=BEGAN, until_at=gap)
        OpenCoverage.objects.create(**spans, from_at=gap + timedelta(hours=12), until_at=READ_AT)
    counted(account, BEGAN, 10)
    for day in (20, 21, 22):
        falls = BEGAN + timedelta(days=day, hours=6)
        counted(account, falls, 9)
        counted(account, falls + timedelta(hours=2), 10)
        missed(workers["rig8"], falls, falls + timedelta(hours=2))
    counted(account, FELL, 8, 1)
    missed(workers["rig3"], FELL, None)
    missed(workers["old"], BEGAN, None)
    Outage.objects.filter(worker=workers["old"]).update(retired_at=BEGAN)
    exclusions.enter(
        tenant.system,
        site="Bergvik hall 2",
        from_at=datetime(2026, 10, 17, 14, tzinfo=UTC),
        until_at=datetime(2026, 10, 17, 18, tzinfo=UTC),
        reason=Exclusion.Reason.CURTAILMENT,
        note="asked for by the grid",
        now=NOW,
    )
    return workers


def counted(account: MiningAccount, at: datetime, online: int, low: int = 0) -> None:
    Counts.objects.create(
        provider_id=account.provider_id, mining_account=account, at=at, not_before=max(at - FIVE, BEGAN),
        online=online, low=low, offline=10 - online - low,
    )  # fmt: skip


def missed(worker: Worker, from_at: datetime, until_at: datetime | None) -> Outage:
    return Outage.objects.create(
        provider_id=worker.provider_id,
        mining_account_id=worker.mining_account_id,
        worker=worker,
        from_at=from_at,
        from_not_before=from_at - FIVE,
        until_at=until_at,
        until_not_before=until_at - FIVE if until_at else None,
    )
