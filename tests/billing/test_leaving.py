"""A customer leaves: refused while anything is open between the two, and what closing ends and leaves alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from billing import contracts
from billing.leaving import close_customer, what_is_open
from billing.models import DocumentStatus
from customers import leaving, members
from customers.models import Customer, MemberKind, Role
from mining import accounts
from mining.links import issuing
from mining.models import PoolIntent, Reward, WatcherLink
from tests.billing.books import (
    AFTER_DECEMBER,
    AFTER_NOVEMBER,
    AFTER_OCTOBER,
    DECEMBER,
    NOVEMBER,
    OCTOBER,
    Story,
    revenue_share,
)
from tests.billing.payments.money import pay, settle_all
from tests.logins import login_of
from tests.refusals import refused


def open_code(story: Story) -> str | None:
    why = what_is_open(story.access, story.customer, now=AFTER_OCTOBER)
    return None if why is None else why.code


def test_nothing_is_open_with_a_customer_that_is_billed_and_paid(story: Story) -> None:
    story.reward(1)
    story.issue(OCTOBER, AFTER_OCTOBER)
    assert open_code(story) == "customer.balance_open"

    settle_all(story.access, now=AFTER_OCTOBER)

    assert open_code(story) is None


def test_what_was_paid_too_much_keeps_the_customer(story: Story) -> None:
    pay(story, 5)
    assert open_code(story) == "customer.balance_open"


def test_an_unbilled_reward_keeps_the_customer_also_one_that_is_not_final_or_without_terms(story: Story) -> None:
    story.reward(1)
    story.issue(OCTOBER, AFTER_OCTOBER)
    settle_all(story.access, now=AFTER_OCTOBER)
    cases: list[dict[str, Any]] = [{"day": 2}, {"day": 3, "status": "pending"}, {"day": OCTOBER - timedelta(days=9)}]
    for facts in cases:
        reward = story.reward(facts.pop("day"), **facts)
        assert open_code(story) == "customer.rewards_open"
        Reward.objects.filter(pk=reward.pk).update(status="canceled")
        assert open_code(story) is None


def test_a_draft_keeps_the_customer_and_so_does_one_that_is_thrown_away(story: Story) -> None:
    story.reward(1)
    draft = story.close(OCTOBER, AFTER_OCTOBER)
    assert draft is not None
    assert open_code(story) == "customer.draft_open"

    type(draft).objects.filter(pk=draft.pk).update(status=DocumentStatus.DISCARDED)

    assert open_code(story) == "customer.rewards_open"


def test_a_correction_keeps_the_customer_until_the_next_document(story: Story) -> None:
    reward = story.reward(1)
    story.issue(OCTOBER, AFTER_OCTOBER)

    Reward.objects.filter(pk=reward.pk).update(status="canceled")

    assert open_code(story) == "customer.correction_open"
    story.issue(NOVEMBER, AFTER_NOVEMBER)
    settle_all(story.access, now=AFTER_NOVEMBER)
    assert what_is_open(story.access, story.customer, now=AFTER_NOVEMBER) is None


def test_an_unsettled_act_at_the_pool_keeps_the_customer(story: Story) -> None:
    PoolIntent.objects.create(
        provider=story.access.provider,
        customer=story.customer,
        kind=PoolIntent.Kind.CREATE_ACCOUNT,
        login=login_of(story.access.provider),
        account_name="second",
        state=PoolIntent.State.UNKNOWN,
        created_at=AFTER_OCTOBER,
    )

    with refused("customer.act_open"):
        close_customer(story.access, story.customer, now=AFTER_OCTOBER)
    assert Customer.objects.get(pk=story.customer.pk).status == "active"


def test_nothing_begins_for_a_closed_customer_until_it_is_open_again(story: Story) -> None:
    link = WatcherLink.objects.create(
        provider=story.access.provider,
        mining_account=story.account,
        customer=story.customer,
        state="active",
        origin="portal",
        name="ours",
        pool_id="17",
        url="https://whitebit.com/mining-pool/watcher-link/17",
        permissions=["dashboard"],
        lifetime="7d",
        live_until=AFTER_OCTOBER + timedelta(days=3),
        renews=True,
        created_at=AFTER_OCTOBER,
        seen_at=AFTER_OCTOBER,
    )

    close_customer(story.access, story.customer, now=AFTER_OCTOBER)

    link.refresh_from_db()
    assert (link.state, link.renews) == ("active", False)  # the pool takes none back
    terms: dict[str, Any] = {
        "valid_from": NOVEMBER,
        "settle_in": "btc",
        "components": [revenue_share(1)],
        "now": AFTER_OCTOBER,
    }
    with refused("customer.closed"):
        contracts.new_version(story.access, story.contract, **terms)
    with refused("customer.closed"):
        contracts.agree(story.access, customer=story.customer, **terms)
    with refused("customer.closed"):
        accounts.assign_account(story.access, story.customer, account_name="x", adopt=False, now=AFTER_OCTOBER)
    with refused("customer.closed"):
        issuing.set_renewal(story.access, link, renews=True, now=AFTER_OCTOBER)
    with refused("customer.closed"):
        issuing.renew_link(story.access, link, early_confirmed=True, now=AFTER_OCTOBER)
    invited: dict[str, Any] = {
        "email": "x@x.example",
        "kind": MemberKind.CUSTOMER,
        "role": Role.OWNER,
        "now": AFTER_OCTOBER,
    }
    with refused("customer.closed"):
        members.invite_member(story.access, customer=story.customer, **invited)
    with refused("customer.closed"):
        close_customer(story.access, story.customer, now=AFTER_OCTOBER)

    leaving.reopen(story.access, story.customer, now=AFTER_NOVEMBER)

    contracts.new_version(story.access, story.contract, **terms)
    with refused("customer.not_closed"):
        leaving.reopen(story.access, story.customer, now=AFTER_NOVEMBER)


def test_a_reward_that_still_comes_is_billed(story: Story) -> None:
    close_customer(story.access, story.customer, now=AFTER_OCTOBER)

    story.reward(DECEMBER)

    assert story.issue(DECEMBER, AFTER_DECEMBER).balance_sat == 829
