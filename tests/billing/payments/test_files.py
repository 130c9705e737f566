"""Payments from a file: all or none, and one sentence for each row that cannot be."""

from __future__ import annotations

import pytest

from billing.models import Fund
from billing.payments.files import Row, look_at, record_file
from tests.billing.books import AFTER_NOVEMBER, Story
from tests.billing.payments.money import (
    assert_sound,
    balance,
    november_invoice,
    october_invoice,
    output,
    pay,
    settled,
)
from tests.refusals import refused

HEAD = "date,amount_btc,reference,customer,documents,paid_by,source,note\n"


def told(rows: list[Row]) -> list[tuple[int, str]]:
    return [(row.line, row.problem) for row in rows]


def test_a_file_is_looked_at_and_then_recorded(story: Story) -> None:
    october, november = october_invoice(story), november_invoice(story)
    file = HEAD + (
        f"2026-11-04,0.00000146,{output(1)},{story.customer.code},,,,first\n"
        f"2026-11-05,0.000003,BANK 7,,{november.number},customer,bank,\n"
    )

    looked = look_at(story.access, file, now=AFTER_NOVEMBER)

    assert [(row.line, row.plan.settled, row.plan.left) for row in looked if row.plan] == [(2, 146, 0), (3, 292, 8)]
    assert not Fund.objects.visible_to(story.access).exists()

    record_file(story.access, file, now=AFTER_NOVEMBER)

    assert (settled(october), settled(november), balance(story).credit) == (146, 292, 8)
    assert_sound(story)


def test_a_file_with_semicolons_and_a_mark_at_its_beginning_is_read(story: Story) -> None:
    october_invoice(story)
    file = f"\ufeffdate;amount_btc;reference;customer\r\n2026-11-04;0.00000146;{output(1)};Cedar\r\n"

    record_file(story.access, file, now=AFTER_NOVEMBER)

    assert balance(story).is_even


def test_each_row_that_cannot_be_recorded_says_why_and_none_is(story: Story) -> None:
    october_invoice(story)
    pay(story, 1, output(9))
    good = f"2026-11-04,0.00000001,{output(1)},Cedar,,,,\n"
    rows = [
        good,
        good,
        f"2026-11-04,0.00000001,{output(9)},Cedar,,,,\n",
        f'2026-11-04,"0,00000001",{output(2)},Cedar,,,,\n',
        f"04.11.2026,0.00000001,{output(2)},Cedar,,,,\n",
        f"2026-12-30,0.00000001,{output(2)},Cedar,,,,\n",
        f"2026-11-04,0.00000001,{output(2)},Elm,,,,\n",
        f"2026-11-04,0.00000001,{output(2)},,,,,\n",
        f"2026-11-04,0.00000001,{output(2)},,INV-1,,,\n",
        "2026-11-04,0.00000001,abc,Cedar,,,,\n",
        f"2026-11-04,0.00000001,{output(2)},Cedar,,me,,\n",
    ]

    problems = told(look_at(story.access, HEAD + "".join(rows), now=AFTER_NOVEMBER))

    assert problems[0] == (2, "")
    assert [line for line, problem in problems if problem] == list(range(3, 13))
    expected = (
        "is recorded already",
        "is recorded already",
        "Write the amount in BTC",
        "Write the day",
        "is in the future",
        "There is no customer Elm",
        "Say whose payment it is",
        "There is no document INV-1",
        "id of 64 characters",
        "In paid_by write customer or provider",
    )
    for (_, problem), sentence in zip(problems[1:], expected, strict=True):
        assert sentence in problem
    with refused("payment.file_rows"):
        record_file(story.access, HEAD + "".join(rows), now=AFTER_NOVEMBER)
    assert Fund.objects.visible_to(story.access).count() == 1


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("", "payment.file_head"),
        ("date,amount_btc,reference\n", "payment.file_head"),
        ("date,amount_btc,reference,customer,colour\n", "payment.file_head"),
        ("date,date,amount_btc,reference,customer\n", "payment.file_head"),
        (HEAD + "\x00", "payment.file_no_text"),
        (HEAD, "payment.file_size"),
        (HEAD + "x,1,y,Cedar,,,,\n" * 1001, "payment.file_size"),
        (HEAD + '2026-11-04,"1\n', "payment.file_unreadable"),
    ],
)
def test_a_file_that_is_none_is_refused(story: Story, file: str, code: str) -> None:
    with refused(code):
        look_at(story.access, file, now=AFTER_NOVEMBER)
