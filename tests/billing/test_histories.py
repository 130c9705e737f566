"""Any history of changes at the pool, closes and issues: what was billed is what the facts say, and the books agree."""

from __future__ import annotations

from datetime import UTC, date, datetime

from django.db import transaction
from django.db.models import Sum
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from billing import verify
from billing.models import Document, DocumentLine, DocumentStatus
from billing.split import split_sat
from customers.tenancy import Access
from mining.models import Reward
from tests.billing.books import Story, change, change_amount, lines_of, open_story, revenue_share, row_versions

MONTHS = [date(2026, month, 1) for month in (10, 11, 12)]
TERMS = [
    revenue_share(150_000),
    revenue_share(333_333, "gross", "customer"),
    revenue_share(20_000, "gross", "provider"),
    revenue_share(0),
]

appears = st.tuples(st.just("appears"), st.sampled_from(MONTHS), st.integers(1, 28), st.integers(1, 2_000))
says = st.tuples(
    st.just("says"),
    st.integers(0, 9),
    st.fixed_dictionaries(
        {},
        optional={
            "status": st.sampled_from(["successful", "pending", "canceled", "unknown"]),
            "payout_destination": st.sampled_from(["main_balance", "external_address", "unknown"]),
        },
    ),
)
amounts = st.tuples(st.just("amounts"), st.integers(0, 9), st.integers(1, 2_000))
closes = st.tuples(st.just("closes"), st.booleans())
histories = st.lists(st.one_of(appears, says, amounts, closes), min_size=3, max_size=25)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(
    history=[("appears", date(2026, 10, 1), 1, 2_000), ("closes", True)],
    terms={"kind": "revenue_share", "share_ppm": 150_000, "basis": "net"},
)
@given(history=histories, terms=st.sampled_from(TERMS))
def test_after_any_history_billed_is_what_the_facts_say(
    north: Access, history: list[tuple[object, ...]], terms: dict[str, object]
) -> None:
    with transaction.atomic():
        play(open_story(north, terms, name="Customer"), history)
        transaction.set_rollback(True)  # each history begins with clean books and the first number


def play(story: Story, history: list[tuple[object, ...]]) -> None:
    rewards: list[Reward] = []
    frozen: dict[str, list[tuple[str, str, int, str]]] = {}
    months = iter(MONTHS)

    for step in history:
        match step:
            case ("appears", date() as month, int(day), int(fee)):
                rewards.append(appear(story, month.replace(day=day), fee, len(rewards)))
            case ("says", int(index), dict() as facts) if facts and index < len(rewards):
                change(rewards[index], **facts)
            case ("amounts", int(index), int(fee)) if index < len(rewards):
                change_amount(rewards[index], "0.00002000", f"{fee / 10**8:.8f}")
            case ("closes", bool(issues)):
                if (closing := next(months, None)) is not None:
                    close_and_check(story, closing, frozen, issues=issues)

    # Whatever was issued says what it said, and all of the provider's books hold.
    assert {d.code: lines_of(d) for d in documents_of(story)} == frozen
    assert verify.problems(story.access) == []


def appear(story: Story, day: date, fee: int, occurrence: int) -> Reward:
    return story.reward(day, total="0.00002000", fee=f"{fee / 10**8:.8f}", occurrence=occurrence + 1)


def close_and_check(
    story: Story, month: date, frozen: dict[str, list[tuple[str, str, int, str]]], *, issues: bool
) -> None:
    now = datetime(month.year + month.month // 12, month.month % 12 + 1, 3, tzinfo=UTC)
    draft = story.close(month, now)
    before = row_versions()
    assert story.close(month, now) == draft
    assert row_versions() == before
    if draft is None or not issues or draft_before(story, month):
        return
    issued = story.issue(month, now)
    frozen[issued.code] = lines_of(issued)
    assert story.close(month, now) is None
    for reward in Reward.objects.filter(customer=story.customer, day__lt=issued.period.upper):
        assert billed(reward) == target(story, reward), reward.status


def draft_before(story: Story, month: date) -> bool:
    drafts = Document.objects.filter(contract=story.contract, status=DocumentStatus.DRAFT)
    return drafts.filter(period__startswith__lt=month).exists()


def documents_of(story: Story) -> list[Document]:
    return list(Document.objects.filter(contract=story.contract, status=DocumentStatus.ISSUED))


def billed(reward: Reward) -> dict[str, tuple[int, int]]:
    lines = DocumentLine.objects.filter(reward=reward, document__status=DocumentStatus.ISSUED)
    sums = lines.values("component").annotate(net=Sum("net_sat"), customer=Sum("customer_share_sat"))
    return {row["component"]: (row["net"], row["customer"]) for row in sums if row["net"] or row["customer"]}


def target(story: Story, reward: Reward) -> dict[str, tuple[int, int]]:
    """The rule once more, one reward at a time, in plain words."""
    components = {"main_balance": "pay_customer", "external_address": "bill_customer"}
    if reward.status == "canceled":
        return {}
    if reward.status != "successful" or reward.payout_destination not in components:
        return billed(reward)  # nothing is billed, and nothing that was is taken back
    terms = story.contract.versions.get().components.get()
    parts = split_sat(reward.total_sat, reward.net_sat, terms.share_ppm, terms.basis, terms.pool_fee_borne_by)
    if not (parts.net_sat or parts.customer_sat):
        return {}  # the pool's fee took all of it: a line of zeros, which `billed` leaves out
    return {components[reward.payout_destination]: (parts.net_sat, parts.customer_sat)}
