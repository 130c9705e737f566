"""What the database refuses of payments and of documents' lives, tried with the runtime role and committed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime

import pytest
from django.db import DatabaseError, connection

from billing import life
from customers import tenancy
from customers.tenancy import Access
from portal.database import as_owner
from tests.billing.books import AFTER_DECEMBER, AFTER_NOVEMBER, DECEMBER, open_story
from tests.billing.payments.money import november_invoice, october_invoice, output, pay
from tests.waiting import ended, in_thread, waits_for_us
from tests.world import World

JANUARY, AFTER_JANUARY = date(2027, 1, 1), datetime(2027, 2, 3, 9, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db(transaction=True)


class Books:
    """Cedar: an invoice with 100 of 146 paid (October), one that is open (November), a settlement (December), an unused
    payment of 500, and another customer's invoice. Committed."""

    def __init__(self, access: Access) -> None:
        self.access = access
        with self.context():
            other = open_story(access, name="Dogwood")
            self.unused = pay(other, 500, output(2))
            self.others = october_invoice(other)
            story = open_story(access)
            self.story, self.paid = story, october_invoice(story)
            self.half = pay(story, 100, output(1))
            self.unpaid = november_invoice(story)
            story.reward(DECEMBER)
            self.settlement = story.issue(DECEMBER, AFTER_DECEMBER)

    @contextmanager
    def context(self) -> Iterator[None]:
        with tenancy.access_context(self.access):
            yield

    def run(self, *statements: str) -> None:
        """In one transaction of its own, with the names that the statements use."""
        names = {
            "paid": self.paid.pk,
            "unpaid": self.unpaid.pk,
            "settlement": self.settlement.pk,
            "others": self.others.pk,
            "half": self.half.pk,
            "unused": self.unused.pk,
            "provider": self.access.provider.pk,
            "customer": self.story.customer.pk,
        }
        with self.context(), connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement, names)


@pytest.fixture
def books(transactional_db: None, world: World) -> Books:
    return Books(world.north.system)


def becomes(status: str, document: str) -> str:
    return f"UPDATE billing_document SET status = '{status}' WHERE id = %({document})s"


def allocate(document: str, amount: int, *, fund: str = "half", reverses: str = "NULL", customer: str = "") -> str:
    return (
        "INSERT INTO billing_allocation (provider_id, code, fund_id, document_id, customer_id, asset, amount,"
        " reverses_id, reason, made_at, made_by)"
        f" SELECT provider_id, 'alc_new', id, {document}, {customer or 'customer_id'}, asset, {amount}, {reverses}, '',"
        f" now(), 'robin' FROM billing_fund WHERE id = %({fund})s"
    )


def new_fund(
    amount: str = "5", left: str = "5", ref: str = "'x'", source: str = "bank", taken_back: str = "false"
) -> str:
    return (
        "INSERT INTO billing_fund (provider_id, code, customer_id, paid_by, asset, amount, amount_left, source, ref,"
        " received_on, note, recorded_at, recorded_by, taken_back) VALUES (%(provider)s, 'pay_new', %(customer)s,"
        f" 'customer', 'BTC', {amount}, {left}, '{source}', {ref}, '2026-11-04', '', now(), 'robin', {taken_back})"
    )


ALLOCATED = "(SELECT min(id) FROM billing_allocation WHERE fund_id = %(half)s)"
NEW = "(SELECT max(id) FROM billing_fund)"


def of_new(statement: str) -> str:
    """For the payment that the statement before recorded."""
    return statement.replace("%(half)s", NEW)


def second(statement: str) -> str:
    return statement.replace("alc_new", "alc_two")


ILLEGAL = {
    "what is paid is not voided": ([becomes("voided", "paid")], "is not voided: 100 of it is settled"),
    "a settlement is not written off": ([becomes("written_off", "settlement")], "billing_document_written_off"),
    "a paid invoice is not written off": (
        [allocate("%(others)s", 146, fund="unused"), becomes("written_off", "others")],
        "nothing of it is open",
    ),
    "a voided document stays so": (
        [becomes("voided", "unpaid"), becomes("issued", "unpaid")],
        "is voided: it does not become issued",
    ),
    "a written-off document is not voided": (
        [becomes("written_off", "unpaid"), becomes("voided", "unpaid")],
        "is written_off: it does not become voided",
    ),
    "an issued document is not discarded": ([becomes("discarded", "unpaid")], "it does not become discarded"),
    "a step takes nothing else along": (
        ["UPDATE billing_document SET status = 'voided', due_on = '2027-01-01' WHERE id = %(unpaid)s"],
        "does not change",
    ),
    "the day it is due is frozen": (
        ["UPDATE billing_document SET due_on = '2027-01-01' WHERE id = %(unpaid)s"],
        "does not change",
    ),
    "whether it counts is computed": (
        ["UPDATE billing_document SET counts = false WHERE id = %(unpaid)s"],
        'column "counts" can only be updated to DEFAULT',
    ),
    "what is settled is not written by us": (
        ["UPDATE billing_documentopen SET settled = 146"],
        "permission denied for table billing_documentopen",
    ),
    "nothing is opened by us": (
        [
            "INSERT INTO billing_documentopen (provider_id, document_id, customer_id, asset, total, settled)"
            " SELECT provider_id, document_id, customer_id, asset, total, settled FROM billing_documentopen"
        ],
        "permission denied for table billing_documentopen",
    ),
    "what is left of a payment is not written by us": (
        ["UPDATE billing_fund SET amount_left = 5"],
        "permission denied for table billing_fund",
    ),
    "a payment is not deleted": (["DELETE FROM billing_fund"], "permission denied for table billing_fund"),
    "an allocation is not changed": (["UPDATE billing_allocation SET amount = 1"], "permission denied"),
    "an allocation is not deleted": (["DELETE FROM billing_allocation"], "permission denied"),
    "a step is not changed": (["UPDATE billing_documentmove SET reason = 'x'"], "permission denied"),
    "a step is not deleted": (["DELETE FROM billing_documentmove"], "permission denied"),
    "a payment begins unused": ([new_fund(left="4")], "must begin unused"),
    "a payment does not begin taken back": ([new_fund(left="0", taken_back="true")], "must begin unused"),
    "a payment of nothing": ([new_fund(amount="0", left="0")], "billing_fund_left"),
    "a payment without a reference": ([new_fund(ref="''")], "billing_fund_ref"),
    "an output that is none": ([new_fund(source="bitcoin")], "billing_fund_ref"),
    "a payment twice": (
        [new_fund(source="bitcoin", ref=f"'{output(1)}'")],
        "billing_fund_ref_once",
    ),
    "more is settled than a document asks": (
        [allocate("%(others)s", 147, fund="unused")],
        "billing_open_settled",
    ),
    "more is put to documents than a payment has": (
        [allocate("%(unpaid)s", 1)],
        "billing_fund_left",
    ),
    "another customer's payment": (
        [allocate("%(unpaid)s", 1, fund="unused")],
        "is not for document",
    ),
    "a payment under another customer's name": (
        [allocate("%(unpaid)s", 1, fund="unused", customer="%(customer)s")],
        "is another customer's",
    ),
    "a customer's payment settles no settlement": (
        [new_fund(), of_new(allocate("%(settlement)s", 1))],
        "is not for document",
    ),
    "a voided document takes no money": (
        [becomes("voided", "unpaid"), new_fund(), of_new(allocate("%(unpaid)s", 1))],
        "only an issued one takes money",
    ),
    "a written-off document takes no money": (
        [becomes("written_off", "unpaid"), new_fund(), of_new(allocate("%(unpaid)s", 1))],
        "only an issued one takes money",
    ),
    "a written-off document gives no money back": (
        [becomes("written_off", "paid"), allocate("%(paid)s", -100, reverses=ALLOCATED)],
        "only an issued one takes money",
    ),
    "an allocation below 0 that reverses none": ([allocate("%(paid)s", -1)], "billing_allocation_sign"),
    "a reversal of another amount": (
        [allocate("%(paid)s", -99, reverses=ALLOCATED)],
        "does not mirror",
    ),
    "an allocation reversed twice": (
        [
            allocate("%(paid)s", -100, reverses=ALLOCATED),
            second(allocate("%(paid)s", -100, reverses=ALLOCATED)),
        ],
        "billing_allocation_reversed_once",
    ),
    "a payment in use is not taken back": (
        [allocate("NULL", 100)],
        "is taken back as a whole, once, when nothing uses it",
    ),
    "a part of a payment is not taken back": (
        [new_fund(), of_new(allocate("NULL", 4))],
        "is taken back as a whole",
    ),
    "a payment that was taken back settles nothing": (
        [new_fund(), of_new(allocate("NULL", 5)), second(of_new(allocate("%(unpaid)s", 5)))],
        "was taken back",
    ),
}


def test_the_database_refuses_every_illegal_act(books: Books) -> None:
    # One world for all: each act is refused and leaves nothing behind.
    surprises = {
        name: outcome for name, (acts, refusal) in ILLEGAL.items() if (outcome := attempt(books, acts, refusal))
    }

    assert surprises == {}


def attempt(books: Books, statements: list[str], refusal: str) -> str | None:
    """None when the database refused as it should; else what it did instead."""
    try:
        books.run(*statements)
    except DatabaseError as error:
        return None if refusal in str(error) else str(error)
    return "it was done"


FOR_THE_OWNER = {
    "UPDATE billing_fund SET amount_left = amount_left - 1 WHERE amount_left > 0": "as its allocations say",
    "UPDATE billing_fund SET taken_back = true, amount_left = 0": "as its allocations say",
    "UPDATE billing_fund SET ref = 'x', source = 'bank'": "does not change",
    "DELETE FROM billing_fund": "is not deleted",
    "UPDATE billing_documentopen SET settled = settled + 1": "as its allocations say",
    "UPDATE billing_documentopen SET total = total + 1": "as its allocations say",
    "DELETE FROM billing_documentopen": "is not deleted",
    "UPDATE billing_allocation SET amount = 1": "is append-only",
    "DELETE FROM billing_allocation": "is append-only",
    "UPDATE billing_documentmove SET reason = 'x'": "is append-only",
    "TRUNCATE billing_allocation CASCADE": "is append-only",
    "TRUNCATE billing_fund CASCADE": "is append-only",
    "TRUNCATE billing_documentopen CASCADE": "is append-only",
    "TRUNCATE billing_documentmove CASCADE": "is append-only",
}


def test_the_owner_is_stopped_too(books: Books) -> None:
    with books.context():
        life.write_off(books.access, books.unpaid, reason="Gone", now=AFTER_NOVEMBER)
    with as_owner():
        for statement, refusal in FOR_THE_OWNER.items():
            with pytest.raises(DatabaseError, match=refusal), connection.cursor() as cursor:
                cursor.execute(statement)


def test_money_and_a_void_do_not_meet_on_one_document(books: Books) -> None:
    """Money put to a document while another session voids it waits, and then finds it voided."""
    outcome: list[str] = []

    def put_money() -> None:
        try:
            books.run(new_fund(), of_new(allocate("%(unpaid)s", 5)))
        except DatabaseError as error:
            outcome.append(str(error))

    with books.context(), connection.cursor() as cursor:
        cursor.execute(becomes("voided", "unpaid"), {"unpaid": books.unpaid.pk})
        other = in_thread(put_money)
        assert waits_for_us(other)
    ended(other)

    (refusal,) = outcome
    assert "only an issued one takes money" in refusal


def test_a_correction_and_a_void_do_not_meet_on_one_document(books: Books) -> None:
    """A document issued while another session voids what it corrects waits, and then is refused."""
    outcome: list[str] = []
    with books.context():
        line = books.unpaid.lines.select_related("reward").latest("pk")
        line.reward.status = "canceled"
        line.reward.save(update_fields=["status"])
        draft = books.story.close(JANUARY, AFTER_JANUARY)
        assert draft is not None

    def number_it() -> None:
        try:
            books.run(
                "UPDATE billing_documentseries SET last_sequence = last_sequence + 1, last_issued_on = '2027-02-03'"
                " WHERE series = 'SET-2027'",
                "UPDATE billing_document SET status = 'issued', series = 'SET-2027', sequence = 2,"
                " number = 'SET-2027-000002', issued_at = now(), issued_on = '2027-02-03', due_on = '2027-02-17',"
                f" snapshot = '{{}}' WHERE id = {draft.pk}",
            )
        except DatabaseError as error:
            outcome.append(str(error))

    with books.context(), connection.cursor() as cursor:
        cursor.execute(becomes("voided", "unpaid"), {"unpaid": books.unpaid.pk})
        other = in_thread(number_it)
        assert waits_for_us(other)
    ended(other)

    (refusal,) = outcome
    assert "which does not count" in refusal
