"""What stories about money need: one customer, made to order, and its books after each step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Sum

from billing import contracts, journal, settlement
from billing.holds import omissions
from billing.issue import issue
from billing.models import Contract, ContractVersion, Document, DocumentLine, JournalEntry, LedgerAccount
from customers.models import Customer
from customers.tenancy import Access
from mining.models import MiningAccount, PayoutAgreement, Reward
from tests.logins import login_of
from tests.world import FIRST_DAY, NOW, amounts, make_reward

OCTOBER, NOVEMBER, DECEMBER = date(2026, 10, 1), date(2026, 11, 1), date(2026, 12, 1)
AFTER_OCTOBER = NOW
AFTER_NOVEMBER = datetime(2026, 12, 3, 9, 0, tzinfo=UTC)
AFTER_DECEMBER = datetime(2027, 1, 4, 9, 0, tzinfo=UTC)
Line = tuple[str, str, int, str]  # day, component, amount, reason


def revenue_share(share_ppm: int, basis: str = "net", borne_by: str | None = None) -> dict[str, Any]:
    terms: dict[str, Any] = {"kind": "revenue_share", "share_ppm": share_ppm, "basis": basis}
    return terms if borne_by is None else terms | {"pool_fee_borne_by": borne_by}


def let_pass(access: Access, draft: Document, *, note: str = "The pool's support knows.", now: datetime = NOW) -> int:
    """A person lets pass what the draft leaves out now."""
    left_out = omissions.on_documents(access, [draft]).get(draft.pk, [])
    return omissions.let_pass(access, draft, seen_as=omissions.digest_of(left_out), note=note, now=now)


@dataclass
class Story:
    """A customer of a provider, on its own: no rewards yet, and the terms the story wants."""

    access: Access
    customer: Customer
    account: MiningAccount
    contract: Contract

    def reward(self, day: date | int, **facts: Any) -> Reward:
        """A reward of October (by its day of the month) or of any date; 1,000 sat, fee 25, unless said otherwise."""
        facts = {"total": "0.00001000", "fee": "0.00000025", **facts}
        reward = make_reward(self.account, FIRST_DAY.replace(day=day) if isinstance(day, int) else day, **facts)
        reward.refresh_from_db(fields=["customer"])  # the database fills it in
        return reward

    def read(self, now: datetime | None) -> None:
        """The pool was read for the account up to this moment, from its beginning on; None: it was not."""
        accounts = MiningAccount.objects.filter(pk=self.account.pk)
        accounts.update(rewards_read_at=now, rewards_read_in_full_at=now)

    def new_terms(self, day: date, component: dict[str, Any]) -> ContractVersion:
        return contracts.new_version(
            self.access, self.contract, valid_from=day, settle_in="btc", components=[component], now=NOW
        )

    def close(self, month: date, now: datetime) -> Document | None:
        self.read(now)
        drafts = settlement.close_period(self.access, month=month, now=now)
        return next((draft for draft in drafts if draft.customer_id == self.customer.pk), None)

    def issue(self, month: date, now: datetime) -> Document:
        draft = self.close(month, now)
        assert draft is not None
        return issue(self.access, draft, now=now)

    @property
    def balance(self) -> journal.CustomerBalance:
        return journal.customer_balances(self.access).get(self.customer.pk, journal.CustomerBalance())

    @property
    def books(self) -> dict[str, int]:
        """Every account's balance in debit sign, of the whole provider; what is zero is left out."""
        sums = {name.value: self._balance(name) for name in LedgerAccount.Name}
        return {name: sat for name, sat in sums.items() if sat}

    def _balance(self, name: LedgerAccount.Name) -> int:
        entries = JournalEntry.objects.visible_to(self.access).filter(account__name=name)
        return int(entries.aggregate(sat=Sum("amount_sat", default=0))["sat"])


def open_story(
    access: Access, component: dict[str, Any] | None = None, *, name: str = "Cedar", since: date = FIRST_DAY
) -> Story:
    customer = Customer.objects.create(
        provider=access.provider, name=name, email="cedar@client.example", created_at=NOW - timedelta(days=90)
    )
    account = MiningAccount.objects.create(
        provider=access.provider,
        login=login_of(access.provider),
        name=name.lower(),
        customer=customer,
        state=MiningAccount.State.ACTIVE,
        first_seen_at=NOW,
        rewards_read_at=NOW,
        rewards_read_in_full_at=NOW,
    )
    contract = contracts.agree(
        access,
        customer=customer,
        valid_from=since,
        settle_in="btc",
        components=[component or revenue_share(150_000)],
        now=NOW,
    )
    return Story(access, customer, account, contract)


def change(reward: Reward, **facts: Any) -> None:
    """The pool says something else now."""
    for name, value in facts.items():
        setattr(reward, name, value)
    reward.save(update_fields=list(facts))


def change_amount(reward: Reward, total: str, fee: str) -> None:
    change(reward, **amounts(total, fee))


def drift(story: Story, since: datetime | None) -> None:
    """The pool pays elsewhere than was agreed (since then; None: not any more)."""
    MiningAccount.objects.filter(pk=story.account.pk).update(payout_drift_since=since)


def agree_payout(
    story: Story, destination: str, address: str | None = None, *, at: datetime, source: str = "accepted"
) -> PayoutAgreement:
    return PayoutAgreement.objects.create(
        provider=story.access.provider, mining_account=story.account, customer=story.customer, source=source,
        destination=destination, address=address, agreed_by="robin@north.example", agreed_at=at,
    )  # fmt: skip


def lines_of(document: Document) -> list[Line]:
    lines = DocumentLine.objects.filter(provider=document.provider_id, document=document).order_by("position")
    return [(str(line.day), line.component, line.amount_sat, line.reason) for line in lines]


def row_versions() -> dict[str, list[tuple[Any, ...]]]:
    """Which transaction wrote each row of billing: the same before and after means that no row was written."""
    tables = (
        "document",
        "documentline",
        "documentseries",
        "documentfile",
        "journaltx",
        "journalentry",
        "ledgeraccount",
    )
    found = {}
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"SELECT id, xmin::text, cmin::text, ctid::text FROM billing_{table} ORDER BY id")
            found[table] = cursor.fetchall()
    return found


def force_deferred_checks() -> None:
    """What commit would check. Tests in one transaction never commit."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
