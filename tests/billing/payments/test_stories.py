"""What is owed, told month by month, with the books after each step. Northmere's share is 15 % of net."""

from __future__ import annotations

from datetime import date

from billing import life
from billing.models import Allocation, DocumentStatus, Fund, PaidBy, Source
from billing.payments import recording
from customers.tenancy import Access
from tests.billing.books import (
    AFTER_DECEMBER,
    AFTER_NOVEMBER,
    AFTER_OCTOBER,
    DECEMBER,
    NOVEMBER,
    OCTOBER,
    Story,
    lines_of,
    open_story,
)
from tests.billing.payments.money import (
    assert_sound,
    balance,
    november_invoice,
    october_invoice,
    output,
    pay,
    payment,
    settled,
    status,
)
from tests.refusals import refused


def test_an_invoice_paid_exactly_is_settled(story: Story) -> None:
    invoice = october_invoice(story)

    fund = pay(story, 146)

    assert (settled(invoice), fund.amount_left) == (146, 0)
    assert balance(story).is_even
    assert story.books == {"bank": 146, "income:revenue_share": -146}
    assert_sound(story)


def test_an_invoice_paid_in_part_stays_open_for_the_rest(story: Story) -> None:
    invoice = october_invoice(story)

    pay(story, 100)

    assert settled(invoice) == 100
    assert (balance(story).customer_owes, balance(story).credit) == (46, 0)
    assert story.books == {"bank": 100, "receivable": 46, "income:revenue_share": -146}
    assert_sound(story)


def test_what_is_paid_too_much_is_credit_and_pays_the_next_invoice(story: Story) -> None:
    october_invoice(story)
    fund = pay(story, 200)
    assert (balance(story).credit, balance(story).net) == (54, 54)
    assert story.books == {"bank": 200, "credit": -54, "income:revenue_share": -146}
    november = november_invoice(story)

    fund = recording.use(story.access, fund, now=AFTER_NOVEMBER)

    assert (settled(november), fund.amount_left) == (54, 0)
    assert (balance(story).customer_owes, balance(story).credit) == (238, 0)
    assert_sound(story)


def test_the_oldest_invoice_is_paid_first(story: Story) -> None:
    october, november = october_invoice(story), november_invoice(story)

    pay(story, 200)

    assert (settled(october), settled(november)) == (146, 54)
    assert_sound(story)


def test_the_chosen_invoice_is_paid_first(story: Story) -> None:
    october, november = october_invoice(story), november_invoice(story)

    pay(story, 300, documents=[november])

    assert (settled(october), settled(november), balance(story).credit) == (0, 292, 8)
    assert_sound(story)


def test_an_invoice_paid_twice_leaves_credit(story: Story) -> None:
    october_invoice(story)
    pay(story, 146, output(1))

    pay(story, 146, output(2))

    assert (balance(story).customer_owes, balance(story).credit) == (0, 146)
    assert_sound(story)


def test_the_same_output_is_recorded_once(story: Story) -> None:
    october_invoice(story)
    pay(story, 100, output(1))

    with refused("payment.exists"):
        pay(story, 46, output(1).upper())

    assert balance(story).customer_owes == 46


def test_two_outputs_of_one_transaction_are_two_payments(story: Story) -> None:
    invoice = october_invoice(story)
    pay(story, 100, output(1, at=0))

    pay(story, 46, output(1, at=1))

    assert settled(invoice) == 146


def test_a_settlement_that_was_paid_out_is_not_owed_any_more(story: Story) -> None:
    story.reward(1)
    settlement = story.issue(OCTOBER, AFTER_OCTOBER)
    assert (balance(story).provider_owes, balance(story).provider_owes_since) == (829, date(2026, 11, 4))

    pay(story, 829, paid_by=PaidBy.PROVIDER)

    assert settled(settlement) == 829
    assert balance(story).is_even
    assert story.books == {"custody:main_balance": 146, "income:revenue_share": -146}
    assert_sound(story)


def test_what_was_paid_out_too_much_is_an_advance(story: Story) -> None:
    story.reward(1)
    story.issue(OCTOBER, AFTER_OCTOBER)

    pay(story, 1000, paid_by=PaidBy.PROVIDER)

    assert (balance(story).advance, balance(story).net) == (171, -171)
    assert story.books["advance"] == 171
    assert_sound(story)


def test_money_to_the_customer_settles_no_invoice(story: Story) -> None:
    invoice = october_invoice(story)

    pay(story, 146, paid_by=PaidBy.PROVIDER)

    assert (settled(invoice), balance(story).customer_owes, balance(story).advance) == (0, 146, 146)
    assert_sound(story)


def test_a_payment_taken_back_opens_what_it_settled_and_may_be_recorded_rightly(story: Story) -> None:
    october, november = october_invoice(story), november_invoice(story)
    fund = pay(story, 200, output(1))

    fund = recording.take_back(story.access, fund, reason="Another customer's", now=AFTER_NOVEMBER)

    assert (fund.taken_back, fund.amount_left, settled(october), settled(november)) == (True, 0, 0, 0)
    assert (balance(story).customer_owes, balance(story).credit) == (438, 0)
    assert story.books == {"receivable": 438, "income:revenue_share": -438}
    assert_sound(story)
    with refused("payment.taken_back"):
        recording.take_back(story.access, fund, reason="Again", now=AFTER_NOVEMBER)
    assert pay(story, 200, output(1)).amount_left == 0
    assert_sound(story)


def test_a_written_off_invoice_is_owed_no_more_and_stays_billed(story: Story) -> None:
    invoice = october_invoice(story)
    pay(story, 100)

    life.write_off(story.access, invoice, reason="Insolvent", now=AFTER_NOVEMBER)

    assert status(invoice) == DocumentStatus.WRITTEN_OFF
    assert balance(story).is_even
    assert story.books == {"bank": 100, "expense:write_off": 46, "income:revenue_share": -146}
    assert story.close(NOVEMBER, AFTER_NOVEMBER) is None  # October is not billed again
    assert_sound(story)


def test_a_late_payment_of_a_written_off_invoice_reverses_that_first(story: Story) -> None:
    invoice = october_invoice(story)
    life.write_off(story.access, invoice, reason="Insolvent", now=AFTER_NOVEMBER)

    pay(story, 100, documents=[invoice])

    assert (status(invoice), settled(invoice)) == (DocumentStatus.ISSUED, 100)
    assert story.books == {"bank": 100, "receivable": 46, "income:revenue_share": -146}
    assert [move.to_status for move in invoice.moves.order_by("pk")] == ["written_off", "issued"]
    assert_sound(story)


def test_money_that_names_no_invoice_leaves_written_off_ones_alone(story: Story) -> None:
    invoice = october_invoice(story)
    life.write_off(story.access, invoice, reason="Insolvent", now=AFTER_NOVEMBER)

    pay(story, 146)

    assert (status(invoice), balance(story).credit) == (DocumentStatus.WRITTEN_OFF, 146)
    assert_sound(story)


def test_a_part_payment_taken_back_opens_the_whole_of_what_was_written_off(story: Story) -> None:
    invoice = october_invoice(story)
    fund = pay(story, 100)
    life.write_off(story.access, invoice, reason="Small", now=AFTER_NOVEMBER)

    recording.take_back(story.access, fund, reason="Bounced", now=AFTER_NOVEMBER)

    assert (status(invoice), balance(story).customer_owes) == (DocumentStatus.ISSUED, 146)
    assert_sound(story)


def test_a_voided_month_is_billed_anew_with_another_number(story: Story) -> None:
    invoice = october_invoice(story)

    life.void(story.access, invoice, reason="Wrong terms", now=AFTER_NOVEMBER)

    assert (status(invoice), balance(story).is_even, story.books) == (DocumentStatus.VOIDED, True, {})
    assert_sound(story)
    again = story.issue(OCTOBER, AFTER_NOVEMBER)
    assert (again.number, lines_of(again)) == ("INV-2026-000002", lines_of(invoice))
    assert_sound(story)


def test_an_invoice_with_money_on_it_is_not_voided_until_the_payment_is_taken_back(story: Story) -> None:
    invoice = october_invoice(story)
    fund = pay(story, 1)
    with refused("document.has_payments"):
        life.void(story.access, invoice, reason="Wrong", now=AFTER_NOVEMBER)
    recording.take_back(story.access, fund, reason="Wrong", now=AFTER_NOVEMBER)

    life.void(story.access, invoice, reason="Wrong", now=AFTER_NOVEMBER)

    assert status(invoice) == DocumentStatus.VOIDED
    assert_sound(story)


def test_a_document_is_not_voided_while_a_later_one_corrects_it(story: Story) -> None:
    reward = story.reward(1, destination="external_address")
    october = story.issue(OCTOBER, AFTER_OCTOBER)
    reward.status = "canceled"
    reward.save(update_fields=["status"])
    november = story.issue(NOVEMBER, AFTER_NOVEMBER)

    with refused("document.corrected_later"):
        life.void(story.access, october, reason="Wrong", now=AFTER_NOVEMBER)

    life.void(story.access, november, reason="Wrong", now=AFTER_NOVEMBER)
    life.void(story.access, october, reason="Wrong", now=AFTER_NOVEMBER)
    assert story.books == {}
    assert story.close(DECEMBER, AFTER_DECEMBER) is None  # nothing is billed, and the reward is canceled
    assert_sound(story)


def test_a_draft_that_corrects_a_voided_document_is_stale(story: Story) -> None:
    reward = story.reward(1, destination="external_address")
    october = story.issue(OCTOBER, AFTER_OCTOBER)
    reward.status = "canceled"
    reward.save(update_fields=["status"])
    draft = story.close(NOVEMBER, AFTER_NOVEMBER)
    assert draft is not None

    life.void(story.access, october, reason="Wrong", now=AFTER_NOVEMBER)

    assert story.close(NOVEMBER, AFTER_NOVEMBER) is None
    assert_sound(story)


def test_what_was_looked_at_is_what_is_recorded(story: Story) -> None:
    october_invoice(story)
    said = payment(story, 146)
    seen = recording.preview(story.access, said, now=AFTER_NOVEMBER).seen_as
    pay(story, 46, output(9))

    with refused("payment.open_changed"):
        recording.record(story.access, said, now=AFTER_NOVEMBER, seen=seen)

    assert Fund.objects.visible_to(story.access).count() == 1


def test_a_look_at_a_payment_writes_nothing(story: Story) -> None:
    invoice = october_invoice(story)

    plan = recording.preview(story.access, payment(story, 200), now=AFTER_NOVEMBER)

    assert ([(share.document, share.amount, share.left) for share in plan.shares], plan.left) == (
        [(invoice, 146, 0)],
        54,
    )
    assert not Allocation.objects.visible_to(story.access).exists()


def test_due_days_are_counted_from_the_issue_and_overdue_by_age(story: Story) -> None:
    invoice = october_invoice(story)
    assert invoice.due_on == date(2026, 11, 18)

    assert balance(story, date(2026, 11, 18)).over == (0, 0, 0)
    assert balance(story, date(2026, 11, 19)).over == (146, 0, 0)
    assert balance(story, date(2026, 11, 28)).over == (146, 0, 0)
    assert balance(story, date(2026, 11, 29)).over == (0, 146, 0)
    assert balance(story, date(2026, 12, 19)).over == (0, 0, 146)


def test_what_cannot_be_recorded_is_refused_with_its_reason(story: Story, north: Access) -> None:
    invoice = october_invoice(story)
    other = open_story(north, name="Dogwood")
    wrong = {
        "payment.asset": payment(story, 1, asset="EUR"),
        "payment.amount": payment(story, 0),
        "payment.in_future": payment(story, 1, received_on=date(2026, 12, 4)),
        "payment.year": payment(story, 1, received_on=date(2008, 1, 1)),
        "payment.ref_invalid": payment(story, 1, "abc"),
        "payment.ref_missing": payment(story, 1, " ", source=Source.BANK),
        "payment.document_of_others": payment(other, 1, documents=[invoice]),
    }
    for code, said in wrong.items():
        with refused(code):
            recording.record(story.access, said, now=AFTER_NOVEMBER)
    assert not Fund.objects.visible_to(story.access).exists()


def test_only_what_is_owed_for_can_be_chosen(story: Story) -> None:
    paid, voided = october_invoice(story), november_invoice(story)
    pay(story, 146)
    life.void(story.access, voided, reason="Wrong", now=AFTER_NOVEMBER)
    draft = story.close(NOVEMBER, AFTER_NOVEMBER)
    assert draft is not None
    for code, document in {
        "payment.document_paid": paid,
        "payment.document_voided": voided,
        "payment.document_not_issued": draft,
    }.items():
        with refused(code):
            pay(story, 1, documents=[document])


def test_steps_that_a_document_cannot_take_are_refused(story: Story) -> None:
    story.reward(1)
    settlement = story.issue(OCTOBER, AFTER_OCTOBER)
    invoice = november_invoice(story)
    draft_reward = story.reward(date(2026, 12, 1))
    draft = story.close(DECEMBER, AFTER_DECEMBER)
    assert draft is not None and draft_reward.pk
    access = story.access
    with refused("document.not_invoice"):
        life.write_off(access, settlement, reason="Why", now=AFTER_NOVEMBER)
    with refused("document.reason_missing"):
        life.void(access, settlement, reason="", now=AFTER_NOVEMBER)
    with refused("document.still_draft"):
        life.void(access, draft, reason="Why", now=AFTER_NOVEMBER)
    with refused("document.not_written_off"):
        life.take_up_again(access, invoice, reason="Why", now=AFTER_NOVEMBER)
    with refused("document.open_changed"):
        life.write_off(access, invoice, reason="Why", now=AFTER_NOVEMBER, seen_open=1)
    life.write_off(access, invoice, reason="Why", now=AFTER_NOVEMBER, seen_open=292)
    with refused("document.written_off"):
        life.void(access, invoice, reason="Why", now=AFTER_NOVEMBER)
    life.take_up_again(access, invoice, reason="Why", now=AFTER_NOVEMBER)
    assert balance(story).customer_owes == 292
    pay(story, 292)
    with refused("document.nothing_open"):
        life.write_off(access, invoice, reason="Why", now=AFTER_NOVEMBER)
    life.void(access, settlement, reason="Why", now=AFTER_NOVEMBER)
    with refused("document.voided"):
        life.void(access, settlement, reason="Why", now=AFTER_NOVEMBER)
    assert_sound(story)
