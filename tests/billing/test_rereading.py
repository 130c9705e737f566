"""What documents rest on is read again, however old: from the pool's correction to the line that bills it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import timezone

from billing import contracts, rereading, settlement
from billing.issue import issue
from billing.models import Document
from customers import tenancy
from customers.models import Customer
from mining.models import MiningAccount, SyncRun
from tests.billing.books import Line, lines_of, revenue_share
from tests.mining.conftest import whitepool, whitepool_process
from tests.mining.hosting import Hosting, set_up
from tests.sandbox import Sandbox

__all__ = ["whitepool", "whitepool_process"]  # fixtures

LONG_AGO = date(2026, 4, 3)  # 200 days before the pool's day
APRIL, SEPTEMBER = date(2026, 4, 1), date(2026, 9, 1)
CLOSED_AT = datetime(2026, 12, 3, 9, tzinfo=UTC)


@pytest.fixture
def hosting(whitepool: Sandbox) -> Hosting:
    """Juniper has a contract since April, and its account a reward of April, which an issued document has billed."""
    hosting = set_up(whitepool, slug="north", login="alpha")
    facts = {"totalReward": "0.001", "reward": "0.001", "fee": "0", "payoutDestination": "main_balance"}
    whitepool.edit("add_reward", login="alpha", account="north", date=str(LONG_AGO), set=facts)
    hosting.sync_all()
    with hosting.context():
        customer = Customer.objects.create(
            provider=hosting.provider, name="Juniper", email="juniper@client.example", created_at=timezone.now()
        )
        MiningAccount.objects.filter(name="north").update(customer=customer)
        contracts.agree(
            hosting.access,
            customer=customer,
            valid_from=APRIL,
            settle_in="btc",
            components=[revenue_share(150_000)],
            now=CLOSED_AT,
        )
        (draft,) = close(hosting, APRIL)
        issue(hosting.access, draft, now=CLOSED_AT)
        assert lines_of(draft) == [("2026-04-03", "pay_customer", 85_000, "")]
    return hosting


def close(hosting: Hosting, month: date) -> list[Document]:
    with tenancy.access_context(hosting.access):
        return settlement.close_period(hosting.access, month=month, now=CLOSED_AT)


def corrections(hosting: Hosting) -> list[Line]:
    drafts = close(hosting, SEPTEMBER)
    with hosting.context():
        return [line for draft in drafts for line in lines_of(draft) if line[0] == str(LONG_AGO)]


def not_read_again(hosting: Hosting) -> int:
    with tenancy.access_context(hosting.access):
        return rereading.not_read_again(hosting.access, settlement.month_of(SEPTEMBER)).count()


def read_in_full(hosting: Hosting, at: datetime) -> None:
    with hosting.context():
        MiningAccount.objects.update(rewards_read_in_full_at=at)


def test_an_old_correction_is_found_within_a_week_and_is_on_the_next_document(hosting: Hosting) -> None:
    hosting.pool.edit("set_reward", login="alpha", account="north", date=str(LONG_AGO), set={"status": "canceled"})
    now = timezone.now()
    for days, asked in [(6, 0), (8, 1)]:
        assert (hosting.sync().rows_changed, corrections(hosting)) == (0, [])
        read_in_full(hosting, now - timedelta(days=days))
        assert rereading.ask_weekly(hosting.provider.pk, now=now) == asked

    assert hosting.sync().rows_changed == 1

    assert corrections(hosting) == [("2026-04-03", "pay_customer", -85_000, "status_changed")]
    assert rereading.ask_weekly(hosting.provider.pk, now=now) == 0


def test_a_close_asks_for_what_was_not_read_since_the_month_ended(hosting: Hosting) -> None:
    hosting.pool.edit("set_reward", login="alpha", account="north", date=str(LONG_AGO), set={"status": "canceled"})
    read_in_full(hosting, datetime(2026, 9, 30, 23, tzinfo=UTC))

    assert (corrections(hosting), not_read_again(hosting)) == ([], 1)
    with hosting.context():
        assert SyncRun.objects.filter(subject="rewards", state="queued").count() == 1  # at once
    hosting.sync()

    assert not_read_again(hosting) == 0
    assert [amount_sat for _, _, amount_sat, _ in corrections(hosting)] == [-85_000]
    with hosting.context():
        assert not SyncRun.objects.filter(subject="rewards", state="queued").exists()


def test_a_preview_asks_for_nothing(hosting: Hosting) -> None:
    read_in_full(hosting, datetime(2026, 9, 30, 23, tzinfo=UTC))

    with tenancy.access_context(hosting.access):
        settlement.preview(hosting.access, month=SEPTEMBER, now=CLOSED_AT)

    with hosting.context():
        assert not MiningAccount.objects.exclude(rewards_asked_again_at=None).exists()
