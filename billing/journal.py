"""The books: what documents, payments and write-offs post, and the balances per customer. Debit +, credit −."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection, transaction
from django.db.models import Q, Sum

from billing.models import Document, DocumentLine, Fund, JournalEntry, JournalTx, LedgerAccount, LineComponent
from customers import audit
from customers.errors import Refused
from customers.tenancy import Access

Name = LedgerAccount.Name
PER_CUSTOMER = (Name.PAYABLE, Name.RECEIVABLE, Name.CREDIT, Name.ADVANCE)


@dataclass(frozen=True, slots=True)
class Leg:
    name: LedgerAccount.Name
    amount_sat: int


@dataclass(frozen=True, slots=True)
class DocumentSums:
    """Sums of a document's lines, by where the pool paid the rewards."""

    main_net_sat: int
    main_customer_sat: int
    external_provider_sat: int

    @property
    def balance_sat(self) -> int:
        return self.main_customer_sat - self.external_provider_sat


def sums_of(document: Document) -> DocumentSums:
    main, external = Q(component=LineComponent.PAY_CUSTOMER), Q(component=LineComponent.BILL_CUSTOMER)
    sums = DocumentLine.objects.filter(provider=document.provider_id, document=document).aggregate(
        main_net=Sum("net_sat", filter=main, default=0),
        main_customer=Sum("customer_share_sat", filter=main, default=0),
        external_provider=Sum("provider_share_sat", filter=external, default=0),
    )
    return DocumentSums(int(sums["main_net"]), int(sums["main_customer"]), int(sums["external_provider"]))


def document_legs(sums: DocumentSums) -> list[Leg]:
    """Custody takes what the pool paid to the provider's balance; the provider's parts are income; what remains is owed
    by one side to the other. Of rewards paid to an address of the customer's, only the provider's part passes through
    the books. Corrections are negative and post the same way."""
    balance = sums.balance_sat
    income = sums.main_net_sat - sums.main_customer_sat + sums.external_provider_sat
    owed = Leg(Name.PAYABLE, -balance) if balance >= 0 else Leg(Name.RECEIVABLE, -balance)
    legs = [Leg(Name.CUSTODY, sums.main_net_sat), Leg(Name.INCOME_REVENUE_SHARE, -income), owed]
    return [leg for leg in legs if leg.amount_sat]


def post_document(document: Document, *, effective_on: date, now: datetime) -> JournalTx | None:
    """Post an issue, at most once (its event key is unique). A document of nothing but zeros posts nothing."""
    legs = document_legs(sums_of(document))
    return post(issued_key(document), legs, document=document, effective_on=effective_on, now=now) if legs else None


def post(
    event_key: str,
    legs: Sequence[Leg],
    *,
    effective_on: date,
    now: datetime,
    document: Document | None = None,
    fund: Fund | None = None,
) -> JournalTx:
    """One event about a document, a payment or both, in the books of their customer and in their asset."""
    about = fund or document
    assert about is not None
    tx = JournalTx.objects.create(
        provider_id=about.provider_id,
        posted_at=now,
        effective_on=effective_on,
        event_key=event_key,
        document=document,
        fund=fund,
        legs=len(legs),
    )
    accounts = _accounts(about, [leg.name for leg in legs])
    JournalEntry.objects.bulk_create(
        JournalEntry(
            provider_id=about.provider_id,
            tx=tx,
            account=accounts[leg.name],
            asset=about.asset,
            amount_sat=leg.amount_sat,
            legs=tx.legs,
            leg=number,
        )
        for number, leg in enumerate(legs, start=1)
    )
    return tx


def issued_key(document: Document) -> str:
    return f"document:{document.code}:issued"


def _accounts(about: Document | Fund, names: Sequence[LedgerAccount.Name]) -> dict[str, LedgerAccount]:
    """The accounts, opened on first use. Two who open the same one at once: the second waits and takes the first's."""
    accounts = _find_accounts(about, names)
    missing = [name for name in names if name not in accounts]
    if missing:
        LedgerAccount.objects.bulk_create(
            [
                LedgerAccount(
                    provider_id=about.provider_id,
                    name=name,
                    customer_id=about.customer_id if name in PER_CUSTOMER else None,
                    asset=about.asset,
                )
                for name in missing
            ],
            ignore_conflicts=True,
        )
        accounts = _find_accounts(about, names)
    return accounts


def _find_accounts(about: Document | Fund, names: Iterable[str]) -> dict[str, LedgerAccount]:
    rows = LedgerAccount.objects.filter(
        Q(customer=None) | Q(customer=about.customer_id),
        provider=about.provider_id,
        asset=about.asset,
        name__in=names,
    )
    return {row.name: row for row in rows}


REVERSE_LEGS = """
INSERT INTO billing_journalentry (provider_id, tx_id, account_id, asset, amount_sat, legs, leg)
SELECT provider_id, %s, account_id, asset, -amount_sat, legs, leg FROM billing_journalentry
WHERE provider_id = %s AND tx_id = %s ORDER BY leg
"""


def reverse(access: Access, tx: JournalTx, *, effective_on: date, now: datetime) -> JournalTx:
    """A transaction that undoes another, leg by leg as they are stored. Once, and never of a reversal."""
    if tx.reverses_id is not None:
        raise Refused("A reversal is not reversed. Post the event anew instead.", code="posting.is_reversal")
    with transaction.atomic():
        if JournalTx.objects.visible_to(access).filter(reverses=tx).exists():
            raise Refused("This transaction is reversed already.", code="posting.reversed")
        mirror = JournalTx.objects.create(
            provider=access.provider,
            posted_at=now,
            effective_on=effective_on,
            event_key=f"reversal:{tx.code}",
            reverses=tx,
            document_id=tx.document_id,
            fund_id=tx.fund_id,
            legs=tx.legs,
        )
        with connection.cursor() as cursor:
            cursor.execute(REVERSE_LEGS, [mirror.pk, access.provider.pk, tx.pk])
        audit.record(access, "journal.reversed", tx.code, now=now, reversal=mirror.code)
    return mirror


def reverse_event(access: Access, event_key: str, *, effective_on: date, now: datetime) -> None:
    """Undo what was posted for an event; nothing, where it posted nothing."""
    if (tx := JournalTx.objects.visible_to(access).filter(event_key=event_key).first()) is not None:
        reverse(access, tx, effective_on=effective_on, now=now)


@dataclass(frozen=True, slots=True)
class CustomerBalance:
    """What the books say between the provider and one customer; each is positive when something is owed or left."""

    payable_sat: int = 0  # the provider owes, by settlements
    receivable_sat: int = 0  # the customer owes, by invoices
    credit_sat: int = 0  # paid by the customer, and not used
    advance_sat: int = 0  # paid to the customer, and not used

    @property
    def net_sat(self) -> int:
        """+ the provider owes the customer."""
        return self.payable_sat + self.credit_sat - self.receivable_sat - self.advance_sat


def customer_balances(access: Access, *, asset: str = "BTC") -> dict[int, CustomerBalance]:
    """By customer id; customers without any posting are not in it. One query."""
    sums = (
        JournalEntry.objects.visible_to(access)
        .filter(account__name__in=PER_CUSTOMER, asset=asset)
        .values_list("account__customer_id")
        .annotate(**{name: Sum("amount_sat", filter=Q(account__name=name), default=0) for name in PER_CUSTOMER})
    )
    return {
        customer: CustomerBalance(-int(payable), int(receivable), -int(credit), int(advance))
        for customer, payable, receivable, credit, advance in sums
    }
