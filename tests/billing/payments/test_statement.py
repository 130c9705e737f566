"""The statement of account: what was owed before, what happened, what is owed after."""

from __future__ import annotations

from datetime import date

from billing import life
from billing.models import PaidBy, Source
from billing.payments import recording
from billing.payments.statement import Statement, csv_rows, statement
from tests.billing.books import AFTER_NOVEMBER, AFTER_OCTOBER, OCTOBER, Story
from tests.billing.payments.money import balance, november_invoice, october_invoice, pay


def of(story: Story, first: date, last: date) -> Statement:
    return statement(story.access, story.customer, first_day=first, last_day=last)


def told(statement: Statement) -> list[tuple[str, str, str, int, int]]:
    return [(str(e.day), e.what, e.about, e.amount, e.balance) for e in statement.entries]


def test_a_statement_tells_a_range_of_days_with_the_balances_around_it(story: Story) -> None:
    october_invoice(story)
    pay(story, 200, "WIRE 1", source=Source.BANK, received_on=date(2026, 11, 20))
    november_invoice(story)

    november = of(story, date(2026, 11, 5), date(2026, 11, 30))
    later = of(story, date(2026, 12, 1), date(2026, 12, 31))

    assert (november.opening, told(november), november.closing) == (
        -146,
        [("2026-11-20", "payment", "WIRE 1", 200, 54)],
        54,
    )
    assert (later.opening, told(later), later.closing) == (
        54,
        [("2026-12-03", "document_issued", "INV-2026-000002", -292, -238)],
        -238,
    )
    assert later.closing == balance(story).net


def test_a_statement_tells_every_step_and_no_move_between_a_customers_own_accounts(story: Story) -> None:
    story.reward(1)
    settlement = story.issue(OCTOBER, AFTER_OCTOBER)
    paid_out = pay(story, 829, "OUT 1", source=Source.BANK, paid_by=PaidBy.PROVIDER)
    recording.take_back(story.access, paid_out, reason="Not sent", now=AFTER_NOVEMBER)
    invoice = november_invoice(story)
    life.write_off(story.access, invoice, reason="Gone", now=AFTER_NOVEMBER)
    life.take_up_again(story.access, invoice, reason="Found", now=AFTER_NOVEMBER)
    life.void(story.access, settlement, reason="Wrong", now=AFTER_NOVEMBER)

    whole = of(story, date(2026, 1, 1), date(2026, 12, 31))

    assert told(whole) == [
        ("2026-11-04", "document_issued", "SET-2026-000001", 829, 829),
        ("2026-11-04", "payment", "OUT 1", -829, 0),
        ("2026-12-03", "payment_taken_back", "OUT 1", 829, 829),
        ("2026-12-03", "document_issued", "INV-2026-000001", -292, 537),
        ("2026-12-03", "document_written_off", "INV-2026-000001", 292, 829),
        ("2026-12-03", "document_taken_up_again", "INV-2026-000001", -292, 537),
        ("2026-12-03", "document_voided", "SET-2026-000001", -829, -292),
    ]
    assert whole.closing == balance(story).net


def test_the_csv_has_the_same_numbers_and_no_formula(story: Story) -> None:
    october_invoice(story)
    pay(story, 200, "=1+1", source=Source.BANK)

    rows = b"".join(csv_rows(of(story, date(2026, 11, 1), date(2026, 11, 30)))).decode().splitlines()

    assert rows[0] == "date,entry,reference,id,asset,amount_sat,amount_btc,balance_sat,balance_btc"
    assert rows[1] == "2026-11-01,opening_balance,,,BTC,,,0,0.00000000"
    assert rows[3].startswith("2026-11-04,payment,'=1+1,pay_")
    assert rows[3].endswith(",BTC,200,0.00000200,54,0.00000054")
    assert rows[4] == "2026-11-30,closing_balance,,,BTC,,,54,0.00000054"
