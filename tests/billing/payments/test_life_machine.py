"""Whatever is issued, paid, voided, written off and taken back, in whatever order: the books agree after each step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing import life, settlement
from billing.issue import issue
from billing.models import Document, DocumentOpen, DocumentStatus, Fund, PaidBy
from billing.payments import recording
from billing.verify import problems
from customers import tenancy
from customers.errors import Refused
from tests.billing.books import (
    AFTER_DECEMBER,
    DECEMBER,
    NOVEMBER,
    OCTOBER,
    Story,
    force_deferred_checks,
    open_story,
)
from tests.billing.payments.money import output, payment
from tests.world import World

MONTHS = (OCTOBER, NOVEMBER, DECEMBER)
PLACES = ("main_balance", "external_address")
STEPS = ("reward", "cancel", "close", "issue", "pay", "pay_one", "use", "take_back", "void", "write_off", "take_up")
# What a step may meet: each is a rule that a person has to know, and none is a fault.
EXPECTED = {
    "document.corrected_later", "document.earlier_draft", "document.has_payments", "document.not_invoice",
    "document.not_written_off", "document.nothing_open", "document.stale", "document.still_draft", "document.voided",
    "document.written_off", "payment.document_not_issued", "payment.document_of_others", "payment.document_paid",
    "payment.document_voided", "payment.no_use", "payment.taken_back",
}  # fmt: skip


class Life:
    """One customer's books, and what can happen to them. Each number chooses among what there is."""

    def __init__(self, story: Story) -> None:
        self.story, self.access, self.made = story, story.access, 0

    def try_(self, step: str, number: int) -> None:
        try:
            with transaction.atomic():
                getattr(self, step)(number)
        except Refused as refusal:
            if refusal.code not in EXPECTED:
                raise

    def reward(self, number: int) -> None:
        month = MONTHS[number % 3]
        self.made += 1
        if self.made <= 28:  # one a day
            self.story.reward(month.replace(day=self.made), destination=PLACES[number % 2])

    def cancel(self, number: int) -> None:
        if rewards := list(self.story.account.rewards.order_by("pk")):
            reward = rewards[number % len(rewards)]
            reward.status = "successful" if reward.status == "canceled" else "canceled"
            reward.save(update_fields=["status"])

    def close(self, number: int) -> None:
        settlement.close_period(self.access, month=MONTHS[number % 3], now=AFTER_DECEMBER)

    def issue(self, _: int) -> None:
        drafts = Document.objects.visible_to(self.access).filter(
            customer=self.story.customer, status=DocumentStatus.DRAFT
        )
        if (draft := drafts.order_by("period").first()) is not None:
            issue(self.access, draft, now=AFTER_DECEMBER)

    def pay(self, number: int, **said: Any) -> None:
        self.made += 1
        side = list(PaidBy)[number % 2]
        said = {"paid_by": side, **said}
        recording.record(self.access, payment(self.story, number + 1, output(self.made), **said), now=AFTER_DECEMBER)

    def pay_one(self, number: int) -> None:
        self._document(number, lambda document: self.pay(number, documents=[document]))

    def use(self, number: int) -> None:
        if fund := self._fund(number):
            recording.use(self.access, fund, now=AFTER_DECEMBER)

    def take_back(self, number: int) -> None:
        if fund := self._fund(number):
            recording.take_back(self.access, fund, reason="Wrong", now=AFTER_DECEMBER)

    def void(self, number: int) -> None:
        self._document(number, lambda d: life.void(self.access, d, reason="Wrong", now=AFTER_DECEMBER))

    def write_off(self, number: int) -> None:
        self._document(number, lambda d: life.write_off(self.access, d, reason="Gone", now=AFTER_DECEMBER))

    def take_up(self, number: int) -> None:
        self._document(number, lambda d: life.take_up_again(self.access, d, reason="Found", now=AFTER_DECEMBER))

    def _fund(self, number: int) -> Fund | None:
        funds = list(Fund.objects.visible_to(self.access).order_by("pk"))
        return funds[number % len(funds)] if funds else None

    def _document(self, number: int, act: Callable[[Document], object]) -> None:
        documents = Document.objects.visible_to(self.access).filter(customer=self.story.customer)
        if rows := list(documents.exclude(status=DocumentStatus.DISCARDED).order_by("pk")):
            act(rows[number % len(rows)])

    def assert_sound(self, step: str) -> None:
        force_deferred_checks()
        assert problems(self.access) == [], step
        assert (
            not DocumentOpen.objects.visible_to(self.access)
            .filter(document__status=DocumentStatus.VOIDED, settled__gt=0)
            .exists()
        )


@contextmanager
def undone(world: World) -> Iterator[Life]:
    """Each example begins with the same books."""
    with tenancy.access_context(world.north.system), transaction.atomic():
        story = open_story(world.north.system, since=date(2026, 10, 1))
        story.read(AFTER_DECEMBER)
        yield Life(story)
        transaction.set_rollback(True)


@pytest.mark.long
@pytest.mark.django_db
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(min_value=0, max_value=999)), max_size=25))
def test_the_books_agree_after_every_step(world: World, steps: list[tuple[str, int]]) -> None:
    with undone(world) as books:
        for step, number in [("reward", 0), ("reward", 1), ("close", 0), ("issue", 0), *steps]:
            books.try_(step, number)
            books.assert_sound(step)
