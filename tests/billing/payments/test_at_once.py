"""Money acts of several people at the same moment, some of them lost on the way: nothing is counted twice or lost."""

from __future__ import annotations

from functools import partial
from random import Random

import pytest

from billing import life
from billing.models import Document, Fund
from billing.payments import recording
from billing.verify import problems
from customers import tenancy
from customers.errors import Refused
from tests.billing.books import AFTER_NOVEMBER, open_story
from tests.billing.payments.money import november_invoice, october_invoice, output, pay, payment
from tests.waiting import ended, in_thread
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)


def test_many_pay_void_and_take_back_at_once_with_rollbacks(transactional_db: None, world: World) -> None:
    access = world.north.system
    with tenancy.access_context(access):
        stories = [open_story(access, name=name) for name in ("Cedar", "Dogwood")]
        for make in (october_invoice, november_invoice):
            for story in stories:
                make(story)

    def act(seed: int) -> None:
        random = Random(seed)
        for _ in range(15):
            story = random.choice(stories)
            try:
                with tenancy.access_context(access):
                    invoices = list(
                        Document.objects.filter(customer=story.customer, number__isnull=False).order_by("pk")
                    )
                    funds = list(Fund.objects.filter(customer=story.customer).order_by("pk"))
                    match random.randrange(5):
                        case 0 | 1:
                            ref = output(random.randrange(20))  # the same money is told twice, too
                            recording.record(access, payment(story, random.randrange(1, 300), ref), now=AFTER_NOVEMBER)
                        case 2:
                            life.void(access, random.choice(invoices), reason="Wrong", now=AFTER_NOVEMBER)
                        case 3 if funds:
                            recording.take_back(access, random.choice(funds), reason="Wrong", now=AFTER_NOVEMBER)
                        case _:
                            life.write_off(access, random.choice(invoices), reason="Gone", now=AFTER_NOVEMBER)
                    if random.randrange(5) == 0:
                        raise ConnectionError("lost on the way")
            except (Refused, ConnectionError):
                pass

    ended(*[in_thread(partial(act, seed)) for seed in range(4)])

    with tenancy.access_context(access):
        assert problems(access) == []
        live = Fund.objects.filter(taken_back=False).values_list("ref", flat=True)
        assert len(set(live)) == len(live)


def test_two_who_record_the_same_payment_at_once_record_it_once(transactional_db: None, world: World) -> None:
    access = world.north.system
    with tenancy.access_context(access):
        cedar, dogwood = open_story(access), open_story(access, name="Dogwood")
    outcome: list[str] = []

    def record() -> None:
        try:
            with tenancy.access_context(access):
                pay(dogwood, 5, output(1))
        except Refused as refusal:
            outcome.append(refusal.code)

    with tenancy.access_context(access):
        pay(cedar, 5, output(1))
        other = in_thread(record)
    ended(other)

    assert outcome == ["payment.exists"]


def test_two_who_pay_the_same_invoice_at_once_settle_it_once(transactional_db: None, world: World) -> None:
    access = world.north.system
    with tenancy.access_context(access):
        story = open_story(access)
        invoice = october_invoice(story)

    def record() -> None:
        with tenancy.access_context(access):
            pay(story, 146, output(2))

    with tenancy.access_context(access):
        pay(story, 146, output(1))
        other = in_thread(record)
    ended(other)

    with tenancy.access_context(access):
        assert invoice.opened.get().settled == 146
        assert sorted(Fund.objects.values_list("amount_left", flat=True)) == [0, 146]
        assert problems(access) == []
