"""What the database refuses, tried with the runtime role and committed, as a slip in the code would do it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import DatabaseError, connection

from billing import journal, tasks
from billing.issue import issue
from billing.models import JournalTx
from customers import tenancy
from customers.tenancy import Access
from portal.database import as_owner
from tests.billing.books import (
    AFTER_NOVEMBER,
    AFTER_OCTOBER,
    NOVEMBER,
    OCTOBER,
    open_story,
)
from tests.waiting import ended, in_thread, waits_for_us
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)


class Books:
    """One issued document with its file (October) and one draft (November), committed."""

    def __init__(self, access: Access) -> None:
        self.access = access
        with self.context():
            story = open_story(access)
            story.reward(20)
            self.issued = story.issue(OCTOBER, AFTER_OCTOBER)
            self.late = story.reward(31)
            draft = story.close(NOVEMBER, AFTER_NOVEMBER)
            assert draft is not None
            self.story, self.draft = story, draft
        tasks.make_files(access.provider.pk, self.issued.pk)

    @contextmanager
    def context(self) -> Iterator[None]:
        with tenancy.access_context(self.access):
            yield

    def run(self, *statements: str) -> None:
        """In one transaction of its own, with the names that the statements use."""
        names = {
            "issued": self.issued.pk,
            "draft": self.draft.pk,
            "provider": self.access.provider.pk,
            "customer": self.story.customer.pk,
            "contract": self.story.contract.pk,
            "reward": self.late.pk,
        }
        with self.context(), connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement, names)


@pytest.fixture
def books(transactional_db: None, world: World) -> Books:
    return Books(world.north.system)


NEW_DOCUMENT = """
INSERT INTO billing_document (provider_id, code, customer_id, contract_id, period, asset, status, type, balance_sat,
    created_at, computed_at, series, sequence, number, issued_at, issued_on, snapshot)
SELECT provider_id, 'doc_new', customer_id, contract_id, '[2026-12-01,2027-01-01)', asset, {status}, type, balance_sat,
    created_at, computed_at, series, 2, 'SET-2026-000002', issued_at, issued_on, snapshot
FROM billing_document WHERE id = %(issued)s
"""
NEW_LINE = """
INSERT INTO billing_documentline (provider_id, document_id, customer_id, position, kind, component, reward_id,
    version_id, day, amount_sat, net_sat, provider_share_sat, customer_share_sat, reason, facts)
SELECT provider_id, {document}, customer_id, 99, 'regular', 'bill_customer', {reward}, version_id, {day}, 0, 0, 0, 0,
    '', '{{}}' FROM billing_documentline WHERE document_id = %(issued)s
"""
NEW_TX = """
INSERT INTO billing_journaltx (provider_id, code, posted_at, effective_on, event_key, legs, reverses_id)
VALUES (%(provider)s, 'jtx_new', now(), '2026-11-04', 'test', {legs}, {reverses})
"""
NEW_LEG = """
INSERT INTO billing_journalentry (provider_id, tx_id, account_id, asset, amount_sat, legs, leg)
SELECT %(provider)s, {tx}, id, {asset}, {amount}, {legs}, {number} FROM billing_ledgeraccount WHERE name = '{account}'
"""


AGREED_ELSEWHERE = """
INSERT INTO mining_payoutagreement (provider_id, code, mining_account_id, customer_id, destination, address, source,
    agreed_by, agreed_at)
SELECT provider_id, 'pag_new', mining_account_id, customer_id, 'external_address', '1elsewhere', 'found', 'worker',
    reward_at FROM mining_reward WHERE id = %(reward)s
"""
RELEASED = """
INSERT INTO billing_rewardapproval (provider_id, reward_id, customer_id, destination, approved_by, approved_at)
VALUES (%(provider)s, %(reward)s, %(customer)s, 'main_balance', 'robin', now())
"""


def posted(legs: int = 2) -> str:
    return NEW_TX.format(legs=legs, reverses="NULL")


ISSUED_TX = "(SELECT id FROM billing_journaltx WHERE event_key LIKE 'document:%%')"
POSTED_TX = "(SELECT id FROM billing_journaltx WHERE code = 'jtx_new')"


def leg(number: int, account: str, amount: int, *, legs: int = 2, tx: str = POSTED_TX, asset: str = "'BTC'") -> str:
    return NEW_LEG.format(tx=tx, account=account, amount=amount, asset=asset, legs=legs, number=number)


ILLEGAL = {
    "a draft of a customer who is held does not become issued": (
        [
            "UPDATE mining_miningaccount SET payout_drift_since = now() WHERE customer_id = %(customer)s",
            "UPDATE billing_document SET status = 'issued' WHERE id = %(draft)s",
        ],
        "is held: the rewards of its customer go elsewhere than was agreed",
    ),
    "a draft that bills what was paid where nobody had agreed to does not become issued": (
        [AGREED_ELSEWHERE, "UPDATE billing_document SET status = 'issued' WHERE id = %(draft)s"],
        "is held: a reward on it was paid where nobody had agreed to",
    ),
    "a release is not changed": (
        [RELEASED, "UPDATE billing_rewardapproval SET address = NULL"],
        "permission denied for table billing_rewardapproval",
    ),
    "a release is not removed": (
        [RELEASED, "DELETE FROM billing_rewardapproval"],
        "permission denied for table billing_rewardapproval",
    ),
    "an issued document is frozen": (
        ["UPDATE billing_document SET balance_sat = 1 WHERE id = %(issued)s"],
        "is issued and does not change",
    ),
    "an issued document does not become a draft": (
        [
            "UPDATE billing_document SET status = 'draft', series = NULL, sequence = NULL, number = NULL,"
            " issued_at = NULL, issued_on = NULL, snapshot = NULL WHERE id = %(issued)s"
        ],
        "is issued and does not change",
    ),
    "a number is never changed": (
        ["UPDATE billing_document SET number = 'SET-2026-000009' WHERE id = %(issued)s"],
        "is issued and does not change",
    ),
    "an issued document is not deleted": (["DELETE FROM billing_document WHERE id = %(issued)s"], "is not deleted"),
    "a draft is not deleted": (["DELETE FROM billing_document WHERE id = %(draft)s"], "is not deleted"),
    "a discarded document is final": (
        [
            "UPDATE billing_document SET status = 'discarded' WHERE id = %(draft)s",
            "UPDATE billing_document SET status = 'draft' WHERE id = %(draft)s",
        ],
        "is discarded: it does not become draft",
    ),
    "a status outside the list": (
        ["UPDATE billing_document SET status = 'voided' WHERE id = %(draft)s"],
        "issued, carried or discarded, not voided",
    ),
    "a draft keeps its customer": (
        ["UPDATE billing_document SET customer_id = customer_id + 1 WHERE id = %(draft)s"],
        "keeps its customer",
    ),
    "a document does not begin issued": ([NEW_DOCUMENT.format(status="'issued'")], "must begin as a draft"),
    "a number that the series did not give": (
        [
            "UPDATE billing_document SET status = 'issued', series = 'SET-2026', sequence = 7,"
            " number = 'SET-2026-000007', issued_at = now(), issued_on = '2026-11-04', snapshot = '{}'"
            " WHERE id = %(draft)s"
        ],
        "is not the one that series",
    ),
    "a document whose lines say something else": (
        [
            "UPDATE billing_documentseries SET last_sequence = 2",
            "UPDATE billing_document SET balance_sat = 1, status = 'issued', series = 'SET-2026', sequence = 2,"
            " number = 'SET-2026-000002', issued_at = now(), issued_on = '2026-11-04', snapshot = '{}'"
            " WHERE id = %(draft)s",
        ],
        "its 1 lines sum to 829",
    ),
    "a line into an issued document": (
        [NEW_LINE.format(document="%(issued)s", reward="%(reward)s", day="'2026-10-31'")],
        "lines belong to drafts only",
    ),
    "a line out of an issued document": (
        ["DELETE FROM billing_documentline WHERE document_id = %(issued)s"],
        "lines belong to drafts only",
    ),
    "a line is not edited": (
        ["UPDATE billing_documentline SET position = 50 WHERE document_id = %(draft)s"],
        "replaced, never edited",
    ),
    "another customer's reward in a document": (
        [
            NEW_LINE.format(
                document="%(draft)s",
                reward="(SELECT min(id) FROM mining_reward WHERE customer_id <> %(customer)s)",
                day="'2026-10-01'",
            )
        ],
        "does not belong into document",
    ),
    "a line of another day than its reward's": (
        [NEW_LINE.format(document="%(draft)s", reward="%(reward)s", day="'2026-10-30'")],
        "does not belong into document",
    ),
    "a series goes back": (["UPDATE billing_documentseries SET last_sequence = 0"], "goes from 1 to 2, not to 0"),
    "a series leaves a gap": (["UPDATE billing_documentseries SET last_sequence = 3"], "goes from 1 to 2, not to 3"),
    "a number on no document": (["UPDATE billing_documentseries SET last_sequence = 2"], "is on no document"),
    "a number dated before the last one": (
        ["UPDATE billing_documentseries SET last_sequence = 2, last_issued_on = '2026-11-03'"],
        "can not be dated",
    ),
    "a series is not deleted": (["DELETE FROM billing_documentseries"], "series SET-2026 stays"),
    "a series begins at 0": (
        ["INSERT INTO billing_documentseries (provider_id, series, last_sequence) VALUES (%(provider)s, 'X', 5)"],
        "must begin at 0",
    ),
    "a transaction without legs (L1)": ([posted()], "has 0 of its 2 legs"),
    "a transaction of one leg (L1)": ([posted(legs=1)], "billing_tx_two_legs"),
    "a transaction with fewer legs than it states (L2)": (
        [posted(legs=3), leg(1, "payable", 5, legs=3), leg(2, "custody:main_balance", -5, legs=3)],
        "has 2 of its 3 legs",
    ),
    "a transaction that does not sum to zero (L1)": (
        [posted(), leg(1, "payable", 5), leg(2, "custody:main_balance", -4)],
        "does not sum to zero",
    ),
    "legs added after the check was forced early (L2)": (
        [
            posted(),
            leg(1, "payable", 5),
            leg(2, "custody:main_balance", -5),
            "SET CONSTRAINTS ALL IMMEDIATE",
            "SET CONSTRAINTS ALL DEFERRED",
            leg(3, "payable", 7),
        ],
        "billing_entry_leg",
    ),
    "a leg beyond those of an older transaction (L2)": (
        [leg(4, "payable", 5, tx=ISSUED_TX, legs=3)],
        "billing_entry_leg",
    ),
    "a leg in the place of another one (L2)": (
        [leg(1, "payable", 5, tx=ISSUED_TX, legs=3)],
        "billing_entry_leg_once",
    ),
    "a leg that states more legs than its transaction (L2)": (
        [leg(4, "payable", 5, tx=ISSUED_TX, legs=4)],
        "billing_entry_header_legs",
    ),
    "a leg in another asset than its account's (L4)": (
        [posted(), leg(1, "payable", 5, asset="'USD'")],
        "billing_entry_account_asset",
    ),
    "a leg of nothing (L5)": ([posted(), leg(1, "payable", 0)], "billing_entry_not_zero"),
    "an event posted twice (L6)": (
        [
            "INSERT INTO billing_journaltx (provider_id, code, posted_at, effective_on, event_key, legs)"
            " SELECT provider_id, 'jtx_new', now(), effective_on, event_key, legs FROM billing_journaltx"
        ],
        "billing_tx_event_once",
    ),
    "a reversal that does not mirror its original (L7)": (
        [
            NEW_TX.format(legs=2, reverses=ISSUED_TX),
            leg(1, "payable", 5),
            leg(2, "custody:main_balance", -5),
        ],
        "does not mirror",
    ),
    "a reversal with one leg too many (L7)": (
        [
            NEW_TX.format(legs=5, reverses=ISSUED_TX),
            "INSERT INTO billing_journalentry (provider_id, tx_id, account_id, asset, amount_sat, legs, leg)"
            f" SELECT provider_id, {POSTED_TX}, account_id, asset, -amount_sat, 5, leg FROM billing_journalentry"
            f" WHERE tx_id = {ISSUED_TX}",
            leg(4, "payable", 5, legs=5),
            leg(5, "payable", -5, legs=5),
        ],
        "does not mirror",
    ),
    "a journal header edited (L3)": (["UPDATE billing_journaltx SET effective_on = '2026-01-01'"], "permission denied"),
    "a journal header deleted (L3)": (["DELETE FROM billing_journaltx"], "permission denied"),
    "a leg edited (L3)": (["UPDATE billing_journalentry SET amount_sat = 1"], "permission denied"),
    "a leg deleted (L3)": (["DELETE FROM billing_journalentry"], "permission denied"),
    "the journal truncated (L3)": (["TRUNCATE billing_journalentry"], "permission denied"),
    "an account renamed": (["UPDATE billing_ledgeraccount SET asset = 'USD'"], "permission denied"),
    "a file replaced": (["UPDATE billing_documentfile SET content = 'x'"], "permission denied"),
    "a file deleted": (["DELETE FROM billing_documentfile"], "permission denied"),
    "a second file": (
        [
            "INSERT INTO billing_documentfile (provider_id, document_id, customer_id, kind, content, sha256,"
            " version, created_at) SELECT provider_id, document_id, customer_id, kind, content, sha256,"
            " version, created_at FROM billing_documentfile"
        ],
        "billing_file_once",
    ),
    "a file of a draft": (
        [
            "INSERT INTO billing_documentfile (provider_id, document_id, customer_id, kind, content, sha256,"
            " version, created_at) SELECT provider_id, %(draft)s, customer_id, kind, content, sha256,"
            " version, created_at FROM billing_documentfile"
        ],
        "is not issued: it has no file",
    ),
    "two documents of one period": (
        [
            "INSERT INTO billing_document (provider_id, code, customer_id, contract_id, period, asset, status, type,"
            " balance_sat, created_at, computed_at) SELECT provider_id, 'doc_new', customer_id, contract_id, period,"
            " asset, 'draft', type, balance_sat, created_at, computed_at FROM billing_document WHERE id = %(issued)s"
        ],
        "billing_document_period_once",
    ),
    "used terms begin on another day": (
        ["UPDATE billing_contractversion SET valid = '[2026-09-01,)' WHERE contract_id = %(contract)s"],
        "only its end may change",
    ),
    "used terms end before what they billed": (
        ["UPDATE billing_contractversion SET valid = '[2026-10-01,2026-10-15)' WHERE contract_id = %(contract)s"],
        "may only end nearer",
    ),
    "used terms that ended are not made longer": (
        [
            "UPDATE billing_contractversion SET valid = '[2026-10-01,2026-10-21)' WHERE contract_id = %(contract)s",
            "UPDATE billing_contractversion SET valid = '[2026-10-01,2026-11-01)' WHERE contract_id = %(contract)s",
        ],
        "may only end nearer",
    ),
    "used terms are not deleted": (
        ["DELETE FROM billing_contractversion WHERE contract_id = %(contract)s"],
        "it stays",
    ),
    "used terms are not withdrawn": (
        [
            "UPDATE billing_contractversion SET withdrawn_at = now(), withdrawn_by = 'robin'"
            " WHERE contract_id = %(contract)s"
        ],
        "only its end may change",
    ),
    "a used share is not changed": (
        ["UPDATE billing_contractcomponent SET share_ppm = 1 WHERE customer_id = %(customer)s"],
        "its components stay",
    ),
    "a used component is not deleted": (
        ["DELETE FROM billing_contractcomponent WHERE customer_id = %(customer)s"],
        "its components stay",
    ),
    "nothing is added to used terms": (
        [
            "INSERT INTO billing_contractcomponent (provider_id, version_id, customer_id, position, kind, share_ppm,"
            " basis, pool_fee_borne_by) SELECT provider_id, version_id, customer_id, 2, kind, share_ppm, basis,"
            " pool_fee_borne_by FROM billing_contractcomponent WHERE customer_id = %(customer)s"
        ],
        "its components stay",
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


ALSO_FOR_THE_OWNER = [
    "UPDATE billing_journaltx SET effective_on = '2026-01-01'",
    "DELETE FROM billing_journalentry",
    "TRUNCATE billing_journalentry",
    "TRUNCATE billing_journaltx CASCADE",
    "UPDATE billing_ledgeraccount SET asset = 'USD'",
    "TRUNCATE billing_ledgeraccount CASCADE",
    "UPDATE billing_documentfile SET content = 'x'",
    "DELETE FROM billing_documentfile",
    "TRUNCATE billing_documentfile",
    "TRUNCATE billing_documentline CASCADE",
    "TRUNCATE billing_document CASCADE",
    "TRUNCATE billing_documentseries",
    "TRUNCATE billing_rewardapproval",
]


def test_append_only_stops_the_owner_too(books: Books) -> None:
    with as_owner():
        for statement in ALSO_FOR_THE_OWNER:
            with pytest.raises(DatabaseError, match="is append-only"), connection.cursor() as cursor:
                cursor.execute(statement)


def test_a_file_says_its_own_digest(books: Books) -> None:
    with books.context():
        issue(books.access, books.draft, now=AFTER_NOVEMBER)

    with pytest.raises(DatabaseError, match="has another SHA-256"):
        books.run(
            "INSERT INTO billing_documentfile (provider_id, document_id, customer_id, kind, content, sha256,"
            " version, created_at) SELECT provider_id, %(draft)s, customer_id, kind, 'other', sha256,"
            " version, created_at FROM billing_documentfile"
        )


def test_a_reversal_is_not_reversed_and_nothing_is_reversed_twice(books: Books) -> None:
    with books.context():
        original = JournalTx.objects.get(provider=books.access.provider, reverses=None)
        mirror = journal.reverse(books.access, original, effective_on=AFTER_OCTOBER.date(), now=AFTER_OCTOBER)

    assert_balances(books, {})
    for reverses, refusal in ((original.pk, "billing_tx_reversed_once"), (mirror.pk, "is a reversal")):
        with pytest.raises(DatabaseError, match=refusal):
            books.run(NEW_TX.format(legs=3, reverses=reverses))


def assert_balances(books: Books, expected: dict[str, int]) -> None:
    with books.context():
        assert books.story.books == expected


def test_the_issue_and_the_late_line_race_is_closed(books: Books) -> None:
    """A line added while another session issues waits for it, and then finds the document issued."""
    outcome: list[str] = []

    def add_a_line() -> None:
        try:
            books.run(NEW_LINE.format(document="%(draft)s", reward="%(reward)s", day="'2026-10-31'"))
        except DatabaseError as error:
            outcome.append(str(error))

    with books.context():
        issue(books.access, books.draft, now=AFTER_NOVEMBER)
        other = in_thread(add_a_line)
        assert waits_for_us(other)
    ended(other)

    (refusal,) = outcome
    assert "lines belong to drafts only" in refusal


TRIGGERS = {
    ("billing_allocation", "billing_allocated"),
    ("billing_allocation", "billing_allocation_kept"),
    ("billing_allocation", "billing_allocation_not_truncated"),
    ("billing_documentmove", "billing_move_kept"),
    ("billing_documentmove", "billing_move_not_truncated"),
    ("billing_documentopen", "billing_open_guard"),
    ("billing_documentopen", "billing_open_not_truncated"),
    ("billing_fund", "billing_fund_guard"),
    ("billing_fund", "billing_fund_not_truncated"),
    ("billing_contractcomponent", "billing_component_guard"),
    ("billing_contractversion", "billing_version_guard"),
    ("billing_document", "billing_document_a_hold"),
    ("billing_document", "billing_document_a_incomplete"),
    ("billing_document", "billing_document_guard"),
    ("billing_document", "billing_document_not_truncated"),
    ("billing_document", "billing_document_opened"),
    ("billing_documentfile", "billing_file_guard"),
    ("billing_documentfile", "billing_file_kept"),
    ("billing_documentfile", "billing_file_not_truncated"),
    ("billing_documentline", "billing_line_added"),
    ("billing_documentline", "billing_line_not_edited"),
    ("billing_documentline", "billing_line_not_truncated"),
    ("billing_documentline", "billing_line_removed"),
    ("billing_documentseries", "billing_number_is_used"),
    ("billing_documentseries", "billing_series_guard"),
    ("billing_documentseries", "billing_series_not_truncated"),
    ("billing_journalentry", "billing_entry_kept"),
    ("billing_journalentry", "billing_entry_not_truncated"),
    ("billing_journaltx", "billing_reversal_guard"),
    ("billing_journaltx", "billing_tx_balanced"),
    ("billing_journaltx", "billing_tx_kept"),
    ("billing_journaltx", "billing_tx_not_truncated"),
    ("billing_ledgeraccount", "billing_account_kept"),
    ("billing_ledgeraccount", "billing_account_not_truncated"),
    ("billing_omissionpass", "billing_omission_pass_guard"),
    ("billing_omissionpass", "billing_omission_pass_kept"),
    ("billing_omissionpass", "billing_omission_pass_not_truncated"),
    ("billing_rewardapproval", "billing_approval_kept"),
    ("billing_rewardapproval", "billing_approval_not_truncated"),
}


def test_every_trigger_is_there_and_switched_on(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
            " WHERE NOT t.tgisinternal AND c.relname LIKE 'billing%%' AND t.tgenabled = 'O'"
        )
        assert set(cursor.fetchall()) == TRIGGERS


def test_trigger_functions_run_as_the_owner_with_a_fixed_search_path(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT p.proname FROM pg_proc p JOIN pg_trigger t ON t.tgfoid = p.oid"
            " JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal AND c.relname LIKE 'billing%%'"
            " AND (NOT p.prosecdef OR p.proconfig IS NULL OR p.proconfig[1] NOT LIKE 'search_path=%%'"
            "      OR p.proowner <> c.relowner)"
        )
        assert cursor.fetchall() == []
        cursor.execute(
            "SELECT has_table_privilege('billing_journalentry', right_name) FROM unnest(%s::text[]) AS right_name",
            [["UPDATE", "DELETE", "TRUNCATE"]],
        )
        assert cursor.fetchall() == [(False,)] * 3
