"""What the tests of customer pages set: readings of a given age, issued statements, and what a page reads like."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from html import unescape
from typing import Any

from billing import files, settlement
from billing.evidence import csv_rows
from billing.issue import issue
from billing.models import Document, DocumentStatus, FileKind
from customers import tenancy
from mining.models import MiningAccount, PayoutAgreement
from tests.world import FIRST_DAY, NOW, ClientOfProvider, Tenant

PDF = b"%PDF-1.7 the bytes that were kept"
OTHER = "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"
READ_AT = ("workers_read_at", "hashrate_read_at", "rewards_read_at", "payout_read_at")


def read_the_pool(tenant: Tenant, *, at: datetime | None = NOW - timedelta(minutes=4), index: int = 0) -> None:
    """The account's data are of this moment; None: the pool was never read."""
    account = tenant.clients[index].account
    for name in READ_AT:
        setattr(account, name, at)
    if at is None:
        account.workers_online = account.workers_low = account.workers_offline = None
        account.payout_destination = account.pool_fee_percent = None
    with tenancy.access_context(tenant.system):
        account.save()


def set_account(client: ClientOfProvider, tenant: Tenant, **facts: Any) -> None:
    with tenancy.access_context(tenant.system):
        for name, value in facts.items():
            setattr(client.account, name, value)
        client.account.save()


def drift(
    tenant: Tenant, *, index: int = 0, agreed: str | None = None, to: str | None = OTHER, seen: timedelta = timedelta(1)
) -> None:
    """Agreed a month ago was this address (None: the main balance); two days ago that was no longer so, and `seen` ago
    the pool was first seen to pay where it pays now."""
    client, external = tenant.clients[index], "external_address"
    with tenancy.access_context(tenant.system):
        PayoutAgreement.objects.create(
            provider=tenant.provider, mining_account=client.account, customer=client.customer, source="accepted",
            destination=external if agreed else "main_balance", address=agreed, agreed_by="robin@north.example",
            agreed_at=NOW - timedelta(30),
        )  # fmt: skip
    set_account(
        client,
        tenant,
        payout_destination=external if to else "main_balance",
        payout_address=to,
        payout_drift_since=NOW - timedelta(2),
        payout_first_seen_at=NOW - seen,
    )


def statement_of(tenant: Tenant, *, index: int = 0, month: date = FIRST_DAY, with_files: bool = True) -> Document:
    """A customer's issued statement of the month; made once."""
    customer = tenant.clients[index].customer
    with tenancy.access_context(tenant.system):
        issued = Document.objects.filter(
            customer=customer, status=DocumentStatus.ISSUED, period=settlement.month_of(month)
        ).first()
        return issued or _issue(tenant, index, month, with_files=with_files)


def _issue(tenant: Tenant, index: int, month: date, *, with_files: bool) -> Document:
    now = datetime.combine(month, NOW.timetz()) + timedelta(days=34)
    customer = tenant.clients[index].customer
    MiningAccount.objects.filter(customer=customer).update(rewards_read_at=now, rewards_read_in_full_at=now)
    drafts = settlement.close_period(tenant.system, month=month, now=now)
    document = issue(tenant.system, next(draft for draft in drafts if draft.customer_id == customer.pk), now=now)
    if with_files:
        files.keep(document, FileKind.PDF, PDF, version=1, now=now)
        files.keep(document, FileKind.CSV, b"".join(csv_rows(document)), version=1, now=now)
    return document


def words(html: str | bytes) -> str:
    """What a person reads: the text without mark-up, in one line. Amounts come out as they are copied."""
    text = html.decode() if isinstance(html, bytes) else html
    body = text[text.index("<main") : text.index("</main>")] if "<main" in text else text
    body = re.sub(r"<script.*?</script>", "", body, flags=re.S)
    body = re.sub(r'<span class="sub', ' <span class="sub', body)
    body = re.sub(r"</?(?:b|i|wbr|span|time)\b[^>]*>", "", body)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", body))).strip()
