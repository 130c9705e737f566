"""Two halls of machines by the machine's own clock: for browsers, whose server runs on real time."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from django.utils import timezone

from customers.models import Customer
from mining.fleet import exclusions
from mining.models import (
    Counts,
    Coverage,
    Exclusion,
    HashratePoint,
    HashratePoint5m,
    MiningAccount,
    OpenCoverage,
    Outage,
    Worker,
)
from tests.logins import login_of
from tests.world import Tenant

FIVE, HOUR, DAY = timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)
# name, site, how many minutes ago it was last read, and how many of its ten machines are online and low
OTHERS = (
    ("Granite Loop", "Bergvik hall 2", 3, 0, 0),
    ("Hollow Pine Digital Infrastructure Partners", "Bergvik hall 2", 3, 0, 0),
    ("Stonebeck Mining", "Bergvik hall 1", 2, 7, 0),
    ("Driftline", "Sandmoor", 2, 8, 2),
    ("Bluewren Holdings", "Sandmoor", 112, 10, 0),
    ("Ferncliff Partners", "Kalla North", 3, 10, 0),
    ("Marrow Ridge", "", 4, 10, 0),
)


def a_live_fleet(tenant: Tenant) -> dict[str, Worker]:
    """The first customer's 52 machines by name: one of hall 2 is down, with another; one of hall 1 flapped."""
    now = timezone.now().replace(microsecond=0)
    with tenant.context():
        account = tenant.clients[0].account
        names = [f"af-h{1 + number // 30}-{number % 30 + 1:03}" for number in range(52)]
        workers = _machines(account, names, now, site="Bergvik hall 2")
        Worker.objects.filter(name__startswith="af-h1").update(site="Bergvik hall 1")
        _spans(account, now, read=2)
        fell = now - timedelta(minutes=87)
        back = now - 41 * DAY
        _count(account, back, 52, 0, 52)
        for number in range(9):
            at = now - timedelta(days=number + 2, hours=3)
            _count(account, at, 51, 0, 52)
            _count(account, at + timedelta(minutes=40 + number * 10), 52, 0, 52)
            _miss(workers["af-h1-003"], at, at + timedelta(minutes=40 + number * 10))
        _count(account, now - timedelta(hours=7), 51, 1, 52)
        _count(account, fell, 49, 1, 52)
        for name in ("af-h2-021", "af-h2-022"):
            _miss(workers[name], fell, None)
            Worker.objects.filter(pk=workers[name].pk).update(last_seen_at=fell - FIVE)
        workers["af-h2-031"] = workers["af-h2-021"]
        MiningAccount.objects.filter(pk=account.pk).update(
            counts_since=fell, workers_online=49, workers_low=1, workers_offline=2, workers_read_at=now - FIVE,
            rewards_read_at=now - FIVE, hashrate_read_at=now - FIVE,
        )  # fmt: skip
        _points(account, now, Decimal(10_400))
        for number, (name, site, read, online, low) in enumerate(OTHERS):
            _other(tenant, number, name, site, read, online, low, now)
        _windows(tenant, now)
    return workers


def _machines(account: MiningAccount, names: list[str], now: datetime, *, site: str) -> dict[str, Worker]:
    MiningAccount.objects.filter(pk=account.pk).update(first_seen_at=now - 60 * DAY, site=site)
    account.refresh_from_db()
    seen = now - 41 * DAY
    Worker.objects.bulk_create(
        Worker(
            provider_id=account.provider_id, mining_account=account, customer_id=account.customer_id, name=name,
            first_seen_at=seen, last_seen_at=seen,
        )
        for name in names
    )  # fmt: skip
    return {row.name: row for row in Worker.objects.filter(mining_account=account)}


def _spans(account: MiningAccount, now: datetime, *, read: int) -> None:
    for subject in ("counts", "names"):
        span = {"provider_id": account.provider_id, "mining_account": account, "subject": subject}
        Coverage.objects.create(**span, from_at=now - 41 * DAY, until_at=now - 5 * DAY)
        OpenCoverage.objects.create(**span, from_at=now - 5 * DAY + 9 * HOUR, until_at=now - timedelta(minutes=read))


def _count(account: MiningAccount, at: datetime, online: int, low: int, total: int) -> None:
    Counts.objects.create(
        provider_id=account.provider_id, mining_account=account, at=at, not_before=at - FIVE, online=online, low=low,
        offline=total - online - low,
    )  # fmt: skip


def _miss(worker: Worker, from_at: datetime, until_at: datetime | None) -> None:
    Outage.objects.create(
        provider_id=worker.provider_id, mining_account_id=worker.mining_account_id, worker=worker, from_at=from_at,
        from_not_before=from_at - FIVE, until_at=until_at, until_not_before=until_at - FIVE if until_at else None,
    )  # fmt: skip


def _points(account: MiningAccount, now: datetime, ths: Decimal) -> None:
    HashratePoint.objects.filter(mining_account=account).delete()
    hour, five = now.replace(minute=0, second=0), now.replace(minute=now.minute // 5 * 5, second=0)
    row = {"provider_id": account.provider_id, "mining_account": account, "customer_id": account.customer_id}
    HashratePoint.objects.bulk_create(
        HashratePoint(**row, at=hour - back * HOUR, hashrate_ths=ths + back * 7 % 50 * ths / 2000)
        for back in range(1, 720)
        if not 111 <= back <= 120
    )
    HashratePoint5m.objects.bulk_create(
        HashratePoint5m(**row, at=five - back * FIVE, hashrate_ths=ths + back * 13 % 60 * ths / 1500)
        for back in range(1, 288)
        if not 60 <= back <= 75
    )


def _other(tenant: Tenant, number: int, name: str, site: str, read: int, online: int, low: int, now: datetime) -> None:
    customer = Customer.objects.create(provider=tenant.provider, name=name, email="x@x.example", created_at=now)
    account = MiningAccount.objects.create(
        provider=tenant.provider, login=login_of(tenant.provider), name=f"other_{number}", customer=customer,
        state="active", first_seen_at=now - 60 * DAY, counts_since=now - 3 * HOUR, workers_online=online,
        workers_low=low, workers_offline=10 - online - low,
    )  # fmt: skip
    _machines(account, [f"x{machine}" for machine in range(10)], now, site=site)
    _spans(account, now, read=read)
    _count(account, now - 41 * DAY, 10, 0, 10)
    _count(account, now - 3 * HOUR, online, low, 10)
    if read < 60:
        _points(account, now, Decimal(200 * online + 120 * low))


def _windows(tenant: Tenant, now: datetime) -> None:
    reason = Exclusion.Reason
    hour = now.replace(minute=0, second=0)
    for site, begins, ends, why, note in (
        ("Kalla North", -3, 2, reason.CURTAILMENT, "asked for by the grid operator"),
        ("Bergvik hall 1", 240, 242, reason.MAINTENANCE, "filters are changed"),
        ("Bergvik hall 2", -20 * 24, -20 * 24 + 4, reason.CURTAILMENT, "asked for by the grid operator"),
        ("Bergvik hall 2", -6, -5, reason.MAINTENANCE, ""),
    ):
        exclusions.enter(
            tenant.owner.access, site=site, from_at=hour + begins * HOUR, until_at=hour + ends * HOUR, reason=why,
            note=note, now=now,
        )  # fmt: skip
