"""A provider that is set up as a person would do it: a key pasted and verified, everything read over HTTP."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.db import connection
from django.utils import timezone

from customers import onboarding, tenancy
from customers.models import Provider
from customers.tenancy import Access
from mining import runner
from mining.keys import store as key_store
from mining.keys import verification
from mining.models import Credential, MiningAccount, PoolLogin, Reward, RewardObservation, SyncRun
from mining.models.runs import Subject
from tests.mining.pool.conftest import forget_troubles
from tests.plugin import PRIVATE_KEYS
from tests.sandbox import Sandbox

# A quiet moment: late enough that yesterday's rewards are listed and settled.
AFTERNOON = datetime(2026, 10, 20, 15, tzinfo=UTC)
DAY = 86_400

# One reward, as two sides tell it: account, seconds, currency, total, net, fee, status, destination, hash.
Told = tuple[str, int, str, Decimal, Decimal, Decimal, str, str, str | None]


@dataclass
class Hosting:
    """One provider and its login at the sandbox."""

    pool: Sandbox
    access: Access
    login: str  # there
    login_name: str  # here

    @property
    def provider(self) -> Provider:
        return self.access.provider

    @property
    def login_id(self) -> int:
        with self.context():
            return PoolLogin.objects.get(name=self.login_name).pk

    def context(self) -> AbstractContextManager[None]:
        return tenancy.provider_context(self.provider.pk)

    def paste(self, login: str | None = None, login_name: str | None = None) -> Credential:
        key = self.pool.key(login or self.login)
        with self.context():
            return key_store.paste_key(
                self.access,
                login_name=login_name or self.login_name,
                api_key=key.api_key,
                secret=key.secret,
                now=timezone.now(),
            )

    def verify(self, credential: Credential) -> Credential:
        return verification.verify(self.provider.pk, credential.pk, now=timezone.now())

    def sync(self, subject: Subject | str = Subject.REWARDS, *, now: datetime | None = None) -> SyncRun:
        (run,) = runner.sync_provider(self.provider.pk, only=Subject(subject), now=now or timezone.now())
        with self.context():
            return SyncRun.objects.get(pk=run.pk)

    def sync_all(self) -> list[SyncRun]:
        return runner.sync_provider(self.provider.pk, now=timezone.now())

    def calm(self) -> None:
        """The pool is well again, and the waits that its trouble left behind are over."""
        self.pool.clear_faults()
        with redis.Redis.from_url(settings.REDIS_URL) as store:
            forget_troubles(store)

    def account(self, name: str) -> MiningAccount:
        with self.context():
            return MiningAccount.objects.get(login__name=self.login_name, name=name)

    def rewards(self, **wanted: Any) -> list[Reward]:
        with self.context():
            rows = Reward.objects.filter(provider=self.provider, **wanted).select_related("mining_account")
            return list(rows.order_by("reward_at", "mining_account__name", "occurrence"))

    def observations(self, reward: Reward) -> int:
        with self.context():
            return RewardObservation.objects.filter(reward=reward).count()

    def credential(self) -> Credential:
        with self.context():
            return Credential.objects.filter(login__name=self.login_name).exclude(state=Credential.State.RETIRED).get()

    def told(self, **wanted: Any) -> Counter[Told]:
        """Our rewards that the pool still lists."""
        return Counter(
            (
                row.mining_account.name,
                int(row.reward_at.timestamp()),
                row.currency,
                row.total_amount,
                row.net_amount,
                row.fee_amount,
                row.status_raw,
                row.payout_destination,
                row.transaction_hash,
            )
            for row in self.rewards(missing_since=None, **wanted)
        )

    def truth(self) -> Counter[Told]:
        return Counter(
            (
                record["miningAccountName"],
                record["date"],
                record["rewardCurrency"],
                Decimal(record["totalReward"]),
                Decimal(record["reward"]),
                Decimal(record["fee"]),
                record["status"],
                record["payoutDestination"],
                record["payoutTransactionHash"],
            )
            for record in self.pool.rewards(self.login)
        )

    def truth_days(self) -> list[str]:
        """The dates of the true rewards, oldest first."""
        seconds = sorted({record["date"] for record in self.pool.rewards(self.login)})
        return [datetime.fromtimestamp(second, UTC).date().isoformat() for second in seconds]


def set_up(pool: Sandbox, *, slug: str, login: str, login_name: str = "main") -> Hosting:
    access = onboarding.create_provider(slug=slug, name=f"{slug} hosting", now=timezone.now())
    hosting = Hosting(pool, access, login, login_name)
    hosting.verify(hosting.paste())
    return hosting


def environment(pool: Sandbox) -> dict[str, str]:
    """For a worker process of its own: the test's database and sandbox, and the private keys."""
    name = connection.settings_dict["NAME"]
    urls = {key: os.environ[key] for key in ("DATABASE_URL", "DATABASE_OWNER_URL") if os.environ.get(key)}
    return {
        **os.environ,
        **{key: urlsplit(url)._replace(path=f"/{name}").geturl() for key, url in urls.items()},
        "WHITEPOOL_BASE_URL": pool.base_url,
        "POOL_SEALING_PRIVATE_KEYS": PRIVATE_KEYS,
    }


def writes() -> dict[str, int]:
    """Rows written so far in this database, by table, as PostgreSQL counts them: inserts, updates and deletes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute("SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables")
        return dict(cursor.fetchall())


def written_between(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    return {table: count - before.get(table, 0) for table, count in after.items() if count != before.get(table, 0)}
