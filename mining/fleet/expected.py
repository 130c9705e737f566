"""How many workers an account is expected to have (by contract, or as many as are known), and where they stand."""

from __future__ import annotations

from datetime import date, datetime

from customers import audit
from customers.errors import Refused
from customers.tenancy import Access
from mining.fleet import uptime
from mining.models import ExpectedWorkers, MiningAccount, Worker

LONGEST_SITE = MiningAccount._meta.get_field("site").max_length or 0


def set_expected(access: Access, account: MiningAccount, *, from_day: date, workers: int | None, now: datetime) -> None:
    """From that day (UTC) until the next one that says something else; None: as many as are in the roster. In the
    caller's transaction."""
    uptime.forget_days(access.provider.pk, [account.pk], from_at=uptime.midnight(from_day), until_at=None, now=now)
    ExpectedWorkers.objects.filter(provider=access.provider, mining_account=account, from_day=from_day).delete()
    ExpectedWorkers.objects.create(
        provider=access.provider, mining_account=account, customer=account.customer, from_day=from_day, workers=workers
    )
    audit.record(access, "fleet.expected_set", account.code, now=now, workers=workers, from_day=from_day.isoformat())


def set_site(access: Access, account: MiningAccount, *, site: str, now: datetime) -> None:
    """The hall where an account's machines stand: exclusions of the site are theirs."""
    site = _checked(site)
    if site == account.site:
        return
    uptime.forget_days(access.provider.pk, [account.pk], from_at=account.first_seen_at, until_at=None, now=now)
    MiningAccount.objects.filter(provider=access.provider, pk=account.pk).update(site=site)
    audit.record(access, "account.site_set", account.code, now=now, before=account.site, site=site)
    account.site = site


def set_worker_site(access: Access, worker: Worker, *, site: str, now: datetime) -> None:
    """Of one machine that stands elsewhere than its account's: exclusions of either site are its own."""
    site = _checked(site)
    if site == worker.site:
        return
    uptime.forget_days(
        access.provider.pk, [worker.mining_account_id], from_at=worker.first_seen_at, until_at=None, now=now
    )
    Worker.objects.visible_to(access).filter(pk=worker.pk).update(site=site)
    audit.record(access, "worker.site_set", worker.code, now=now, before=worker.site, site=site)
    worker.site = site


def _checked(site: str) -> str:
    site = site.strip()
    if len(site) > LONGEST_SITE:
        raise Refused("A site's name has at most 64 characters.", code="site.too_long")
    return site
