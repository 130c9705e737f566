"""The halls of the sandbox, of customers, read and looked at like beat does it."""

from __future__ import annotations

from datetime import datetime, timedelta

from mining import accounts, alerts
from mining.fleet import expected
from mining.models import Alert, MiningAccount
from portal.alerts.mails import mail_alerts
from portal.alerts.words import sentence
from tests.mining.hosting import AFTERNOON, Hosting, set_up
from tests.sandbox import Sandbox

NAMES = ("steady", "dies", "flaps", "hall_east", "hall_west", "curtailed")


def minute(number: float) -> datetime:
    return AFTERNOON + timedelta(minutes=number)


def hosted(pool: Sandbox, *, site: str = "") -> Hosting:
    pool.reset(world="halls", now=AFTERNOON)
    hosting = set_up(pool, slug="halls", login="gamma")
    hosting.sync("accounts", now=minute(-5))
    with hosting.context():
        for name in NAMES:
            accounts.onboard_customer(
                hosting.access, name=name, email="", account_name=name, adopt=True, now=minute(-5)
            )
        MiningAccount.objects.update(first_seen_at=AFTERNOON)
        for account in MiningAccount.objects.filter(name__in=("hall_east", "hall_west")):
            expected.set_site(hosting.access, account, site=site, now=AFTERNOON)
    return hosting


def live(hosting: Hosting, *, first: int, last: int, step: int = 5) -> None:
    """The fleet is read, and beat comes round."""
    for number in range(first, last + 1, step):
        hosting.pool.clock(now=minute(number))
        hosting.sync("workers", now=minute(number))
        look(hosting, number)


def look(hosting: Hosting, number: int) -> None:
    alerts.refresh(hosting.provider.pk, now=minute(number))
    mail_alerts(hosting.provider.pk, now=minute(number))


def minutes(moment: datetime | None) -> float | None:
    return None if moment is None else (moment - AFTERNOON) / timedelta(minutes=1)


def told(hosting: Hosting) -> list[tuple[str, float | None, float | None]]:
    """What is told by itself: in words, when it opened, when it ended."""
    with hosting.context():
        rows = Alert.objects.opened().told_singly().select_related("customer", "worker", "mining_account")
        return [
            (sentence(row), minutes(row.opened_at), minutes(row.ended_at))
            for row in rows.prefetch_related("members__customer").order_by("opened_at", "pk")
        ]
