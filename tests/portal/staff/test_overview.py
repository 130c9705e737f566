"""The headline is the answer: how many things need a person, and which."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from billing.settlement import close_period
from customers import tenancy
from customers.models import Customer
from mining.models import Credential, HashratePoint, MiningAccount, PoolIntent, QuarantinedRecord, Reward, SyncRun
from portal.views.staff.needs import needs_of
from tests.logins import login_of
from tests.portal.staff.reading import heading, text
from tests.portal.watcher_links import make_link
from tests.world import FIRST_DAY, NOW, Person, Tenant, World, make_reward, move_point

pytestmark = pytest.mark.django_db


def needs(tenant: Tenant) -> list[str]:
    with tenancy.access_context(tenant.system):
        return [need.title for need in needs_of(tenant.owner.access, now=NOW)]


def issue_october(tenant: Tenant) -> None:
    from billing.issue import issue

    with tenancy.access_context(tenant.system):
        for draft in close_period(tenant.system, month=FIRST_DAY, now=NOW):
            issue(tenant.system, draft, now=NOW)


def page(person: Person) -> Any:
    return person.browser().get(reverse("staff:overview"))


def test_nothing_open_reads_that_nothing_needs_you_and_still_tells_what_machines_do(north: Tenant) -> None:
    issue_october(north)
    assert needs(north) == []
    answer = page(north.owner)
    assert heading(answer) == "Nothing needs you"
    assert "2 customers; of their machines 2 down and 2 low" in text(answer)
    accounts = MiningAccount.objects.filter(provider=north.provider)
    with tenancy.access_context(north.system):
        accounts.update(workers_low=0)
        accounts.filter(pk=north.clients[0].account.pk).update(state="unknown")  # what it had is not read any more
    assert "2 customers; of their machines 1 down" in text(page(north.owner))
    assert "low" not in text(page(north.owner)).split("Hashrate")[0]
    with tenancy.access_context(north.system):
        accounts.update(workers_offline=0)
    assert "of their machines" not in text(page(north.owner))


def test_an_ended_month_that_nobody_closed_and_then_its_drafts_need_a_person(north: Tenant) -> None:
    assert needs(north) == ["October 2026 is not closed"]
    with tenancy.access_context(north.system):
        close_period(north.system, month=FIRST_DAY, now=NOW)
    assert needs(north) == ["2 drafts wait to be issued"]
    answer = page(north.owner)
    assert heading(answer) == "One thing needs you"
    # Alder: 3 × 0.000975 × 85 %, we owe it. Birch is paid by the pool itself and owes 15 %.
    assert "2 we will owe 0.00248625 BTC owed to us 0.00043875 BTC" in text(answer)


def test_drafts_that_are_held_are_counted_among_those_that_wait(north: Tenant) -> None:
    with tenancy.access_context(north.system):
        close_period(north.system, month=FIRST_DAY, now=NOW)
        MiningAccount.objects.filter(pk=north.clients[0].account.pk).update(payout_drift_since=NOW)
    says = "2 drafts wait to be issued 1 of them is held: each says why, and what to do."
    assert says in text(page(north.owner))
    with tenancy.access_context(north.system):
        MiningAccount.objects.filter(pk=north.clients[1].account.pk).update(payout_drift_since=NOW)
    says = "2 drafts are held Each says why, and what to do."
    assert says in text(page(north.owner))


def test_each_kind_of_trouble_is_told_with_the_worst_first(north: Tenant) -> None:
    issue_october(north)
    first, second = north.clients
    with tenancy.access_context(north.system):
        provider = north.provider
        Credential.objects.create(
            provider=provider, login=login_of(provider, "second"), state="refused", problem="Wrong signature.",
            key_digest="2",
            key_hint="x", created_at=NOW,
        )  # fmt: skip
        SyncRun.objects.create(
            provider=provider,
            login=login_of(provider),
            subject="workers",
            state="failed",
            queued_at=NOW,
            error="No answer.",
        )
        SyncRun.objects.create(
            provider=provider,
            login=login_of(provider),
            subject="hashrate",
            state="partial",
            queued_at=NOW,
            error="1 of 2.",
        )
        stray = MiningAccount.objects.create(
            provider=provider, login=login_of(provider), name="stray", state="active", first_seen_at=NOW
        )
        make_reward(stray, FIRST_DAY)
        MiningAccount.objects.filter(pk=second.account.pk).update(state="unknown")
        QuarantinedRecord.objects.create(
            provider=provider,
            login=login_of(provider),
            sync_run=north.run,
            reason="twin",
            fingerprint="f",
            raw="{}",
            seen_at=NOW,
        )
        make_reward(first.account, FIRST_DAY - timedelta(days=2))
        Reward.objects.filter(pk=first.rewards[0].pk).update(missing_since=NOW)
        make_reward(first.account, FIRST_DAY + timedelta(days=5), status="unknown")
        bare = Customer.objects.create(provider=provider, name="Cedar", email="c@c.example", created_at=NOW)
        PoolIntent.objects.create(
            provider=provider, kind="create_account", state="failed", customer=bare, login=login_of(provider),
            account_name="cedar", created_at=NOW, problem="The name is taken.",
        )  # fmt: skip
    assert needs(north) == [
        "Alder & Finch: rewards that were billed are missing at the pool, pending again or unknown",
        "Reading machines of main failed",
        "Birch Mining: the pool does not answer for client_1",
        "A new key of second was not accepted",
        "Reading hashrate of main is not complete",
        "1 account at the pool belongs to no customer",
        "Cedar has no mining account",
        "1 record of the pool was not taken in",
        "1 reward is no longer listed by the pool",
        "1 reward has a status that we do not know",
        "1 reward is covered by no contract",
        "1 customer has no contract",
    ]
    answer = page(north.owner)
    assert heading(answer) == "12 things need you"
    assert "Wrong signature." in text(answer)
    assert heading(page(north.auditor)) == "12 things need you"


def test_links_that_need_a_person_are_told(north: Tenant) -> None:
    issue_october(north)
    alder, birch = north.clients
    tomorrow = NOW + timedelta(days=1)
    make_link(north, alder.account, number=1, live_until=tomorrow)
    make_link(north, birch.account, number=2, live_until=tomorrow, origin="pool", lifetime=None)
    # Meant to end, renewed by itself, renewed already, and not so soon.
    make_link(north, alder.account, number=3, live_until=tomorrow, lifetime="24h")
    new = make_link(north, alder.account, number=4)
    make_link(north, alder.account, number=5, live_until=tomorrow, renews=True)
    make_link(north, alder.account, number=6, live_until=tomorrow, successor=new)
    assert needs(north) == ["2 watcher links end within 2 days"]
    make_link(
        north, alder.account, number=7, live_until=tomorrow, renews=True, problem="It could not be renewed. It is full."
    )
    for client in north.clients:
        make_link(north, client.account, origin="pool", lifetime=None, shows_others=True, pool_id="both")
    with tenancy.access_context(north.system):
        for kind in ("create_link", "edit_payout"):
            PoolIntent.objects.create(
                provider=north.provider, kind=kind, state="unknown", customer=birch.customer, login=north.login,
                account_name="client_1", created_at=NOW, problem="The answer was lost.",
            )  # fmt: skip
    assert needs(north) == [
        "Birch Mining: was the watcher link made?",
        "Birch Mining: was the payout destination changed?",
        "1 watcher link shows several accounts",
        "Alder & Finch: a watcher link was not renewed",
        "2 watcher links end within 2 days",
    ]
    with tenancy.access_context(north.system):
        PoolIntent.objects.update(state="planned", problem="", created_at=NOW - timedelta(minutes=4))
    assert not any("yet" in need for need in needs(north))
    with tenancy.access_context(north.system):
        PoolIntent.objects.update(created_at=NOW - timedelta(minutes=6))
    assert needs(north)[:2] == [
        "Birch Mining: a watcher link is not made yet",
        "Birch Mining: the payout destination is not changed yet",
    ]
    words = text(page(north.owner))
    assert "Alder & Finch, Birch Mining. Whoever uses it needs a new address then." in words
    assert "Decide" in text(page(north.finance))


@pytest.mark.parametrize(
    ("kind", "stuck", "lost"),
    [
        ("create_account", "the mining account is not created yet", "was the mining account created?"),
        ("adopt_account", "the mining account is not taken over yet", "is the mining account there?"),
    ],
)
def test_an_account_that_does_not_come_is_told(north: Tenant, kind: str, stuck: str, lost: str) -> None:
    issue_october(north)
    with tenancy.access_context(north.system):
        bare = Customer.objects.create(provider=north.provider, name="Cedar", email="c@c.example", created_at=NOW)
        intent = PoolIntent.objects.create(
            provider=north.provider, kind=kind, state="planned", customer=bare, login=north.login, account_name="cedar",
            created_at=NOW - timedelta(minutes=4),
        )  # fmt: skip
    told = []
    for facts in ({}, {"created_at": NOW - timedelta(minutes=6)}, {"state": "unknown"}, {"state": "done"}):
        with tenancy.access_context(north.system):
            PoolIntent.objects.filter(pk=intent.pk).update(**facts)
        told.append([need for need in needs(north) if need.startswith("Cedar")])
        if told == [[], [f"Cedar: {stuck}"]]:
            assert "No worker has taken it up. Look whether the workers run. Decide" in text(page(north.owner))
    assert told == [[], [f"Cedar: {stuck}"], [f"Cedar: {lost}"], []]


def test_records_that_were_put_aside_are_told_by_what_they_are_of(north: Tenant) -> None:
    issue_october(north)
    with tenancy.access_context(north.system):
        run = SyncRun.objects.create(
            provider=north.provider, login=north.login, subject="watchers", state="ok", queued_at=NOW
        )
        quarantined = ((north.run, 1, "twin"), (run, 2, "twin"), (run, 3, "twin"), (north.run, 4, "unmatched"))
        for subject, number, reason in quarantined:
            QuarantinedRecord.objects.create(
                provider=north.provider, login=north.login, sync_run=subject, reason=reason, fingerprint=str(number),
                raw="{}", seen_at=NOW,
            )  # fmt: skip
    assert needs(north) == [
        "1 change of a reward could not be taken in",
        "1 record of the pool was not taken in",
        "2 watcher links of the pool were not taken in",
    ]
    words = text(page(north.owner))
    assert "were not taken in Made outside the portal, and whoever has its address may see an account." in words
    assert words.count("in no sum and on no document") == 1
    assert "could not be taken in What was read before counts, in sums and on documents." in words


def test_a_payout_that_drifts_and_a_key_that_is_silent_are_told(north: Tenant) -> None:
    issue_october(north)
    client = north.clients[0]
    with tenancy.access_context(north.system):
        MiningAccount.objects.filter(pk=client.account.pk).update(
            payout_drift_since=NOW, payout_destination="external_address", payout_address="bc1qelsewhere"
        )
        Credential.objects.filter(pk=north.credential.pk).update(last_success_at=NOW - timedelta(days=4))
    drift, silent = (
        f"{client.customer.name}: the pool pays the rewards elsewhere than was agreed",
        f"The key of {north.login.name} is silent",
    )
    assert needs(north) == [drift, silent]
    answer = text(page(north.owner))
    assert "Since 4 Nov 2026 they go to bc1qelsewhere. Nothing is issued" in answer
    assert "has not answered this key for 4 days" in answer
    for seen, lost, says in (
        (NOW - timedelta(days=2), None, "Since 2 Nov 2026 they go to bc1qelsewhere."),
        (NOW, None, "Not as agreed since 2 Nov 2026; since 4 Nov 2026 they go to bc1qelsewhere."),
        (NOW, NOW, "Not as agreed since 2 Nov 2026; when the pool last answered for it they went to bc1qelsewhere."),
    ):
        with tenancy.access_context(north.system):
            MiningAccount.objects.filter(pk=client.account.pk).update(
                payout_drift_since=NOW - timedelta(days=2), payout_first_seen_at=seen, unlisted_since=lost
            )
        assert f"{says} Nothing is issued for Alder & Finch until" in text(page(north.owner))
    with tenancy.access_context(north.system):
        Credential.objects.filter(pk=north.credential.pk).update(last_success_at=NOW - timedelta(days=8))
        found = needs_of(north.owner.access, now=NOW)
    assert [(need.title, need.state) for need in found] == [
        (silent, "is-down"),
        (f"{drift}, now to yet another place", "is-down"),
    ]


def failed(tenant: Tenant, *subjects: str) -> None:
    for subject in subjects:
        SyncRun.objects.create(
            provider=tenant.provider,
            login=tenant.login,
            subject=subject,
            state="failed",
            queued_at=NOW,
            error="No answer.",
        )


def set_key(tenant: Tenant, **facts: object) -> None:
    with tenancy.access_context(tenant.system):
        Credential.objects.filter(pk=tenant.credential.pk).update(**facts)


def test_a_key_that_the_pool_refuses_is_one_need_whatever_fails_because_of_it(north: Tenant) -> None:
    issue_october(north)
    with tenancy.access_context(north.system):
        failed(north, "accounts", "rewards", "hashrate", "watchers")
    watchers = "Reading watcher links of main failed"
    assert (len(needs(north)), watchers in needs(north)) == (4, True)

    set_key(north, state="refused", problem="Switched off.", last_success_at=NOW - timedelta(days=20))

    assert needs(north) == ["The pool refuses the key of main"]


def test_a_key_that_was_mistyped_is_low_until_nothing_else_reads_the_accounts_of_its_login(north: Tenant) -> None:
    issue_october(north)
    with tenancy.access_context(north.system):
        Credential.objects.create(
            provider=north.provider, login=north.login, state="refused", key_digest="2", key_hint="x", created_at=NOW,
            problem="Wrong signature.",
        )  # fmt: skip
        MiningAccount.objects.filter(pk=north.clients[0].account.pk).update(
            payout_drift_since=NOW, payout_destination="external_address", payout_address="bc1qelsewhere"
        )
        drift, key = needs_of(north.owner.access, now=NOW)
    assert (drift.word, key.title, key.state) == ("Payout", "A new key of main was not accepted", "is-low")

    set_key(north, state="retired")
    assert needs(north)[0] == "The pool refuses the key of main"


def test_a_key_that_was_thrown_away_is_missed_where_it_read_accounts(north: Tenant) -> None:
    issue_october(north)
    with tenancy.access_context(north.system):
        failed(north, "rewards")
        Credential.objects.create(
            provider=north.provider,
            login=login_of(north.provider, "second"),
            state="active",
            key_digest="2",
            key_hint="x",
            created_at=NOW,
        )
    set_key(north, state="retired")

    assert needs(north) == ["No key reads the accounts of main"]


def test_a_login_that_was_given_up_is_missed_nowhere(north: Tenant) -> None:
    issue_october(north)
    with tenancy.access_context(north.system):
        failed(north, "rewards")
        Credential.objects.create(
            provider=north.provider,
            login=login_of(north.provider, "second"),
            state="active",
            key_digest="2",
            key_hint="x",
            created_at=NOW,
        )
        MiningAccount.objects.create(
            provider=north.provider, login=north.login, name="nobodys", state="active", first_seen_at=NOW
        )
        unlisted, closed = north.clients
        MiningAccount.objects.filter(pk=unlisted.account.pk).update(unlisted_since=NOW)
    set_key(north, state="retired")
    assert "No key reads the accounts of main" in needs(north)

    with tenancy.access_context(north.system):
        Customer.objects.filter(pk=closed.customer.pk).update(status="closed", closed_at=NOW)

    assert [title for title in needs(north) if "main" in title] == []
    sync = north.owner.browser().get(reverse("staff:sync"))
    assert (sync.context["readings"], "No answer." in text(sync), "not read now" in text(sync)) == ([], True, False)
    asked = north.owner.browser().post(reverse("staff:sync_now"), north.owner.form(), follow=True)
    assert "no active pool key" not in text(asked)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (
            {"problem": "This key may not use hashrate: allow that.", "endpoints": {"hashrate": False}},
            ["Reading machines of main failed", "The key of main lacks a right"],
        ),
        (
            {"problem": "This key works, but sees other rewards.", "endpoints": {"hashrate": False}},
            [
                "Reading hashrate of main failed",
                "Reading machines of main failed",
                "The key of main works, and has a problem",
            ],
        ),
        (
            {"problem": "This key may not use hashrate: allow that.", "endpoints": {"hashrate": False}, "days": 8},
            ["The key of main is silent", "Reading machines of main failed"],
        ),
    ],
)
def test_a_key_that_works_has_one_need_and_what_it_may_not_read_is_not_told_twice(
    north: Tenant, facts: dict[str, Any], expected: list[str]
) -> None:
    issue_october(north)
    with tenancy.access_context(north.system):
        failed(north, "hashrate", "workers")
    days = facts.pop("days", 0)
    set_key(north, last_success_at=NOW - timedelta(days=days), **facts)

    assert needs(north) == expected
    if days:
        assert "may not use hashrate" in text(page(north.owner))


def test_the_neighbours_trouble_is_not_told(world: World) -> None:
    issue_october(world.north)
    with tenancy.access_context(world.south.system):
        Credential.objects.filter(pk=world.south.credential.pk).update(state="refused", problem="Theirs.")
    assert needs(world.north) == []
    assert "The pool refuses the key of main" in needs(world.south)


def test_buttons_are_for_those_who_may(north: Tenant) -> None:
    assert "Close it" in text(page(north.finance))
    assert "Close it" not in text(page(north.support))


def test_final_and_not_final_rewards_stand_apart(north: Tenant) -> None:
    with tenancy.access_context(north.system):
        make_reward(north.clients[0].account, NOW.date().replace(day=1))
        make_reward(north.clients[0].account, NOW.date().replace(day=2), status="pending", total="0.00200000", fee="0")
    words = text(page(north.owner))
    assert "Rewards in November 2026, final 0.00097500 BTC" in words
    assert "not final: ≈ 0.00200000 BTC in 1 reward" in words


def test_hashrate_that_was_not_read_is_unknown_and_never_zero(north: Tenant) -> None:
    assert "Hashrate of all customers 20.10 PH/s 2 of 2 accounts" in text(page(north.owner))
    with tenancy.access_context(north.system):
        HashratePoint.objects.filter(mining_account=north.clients[0].account).delete()
    assert "at least 10.05 PH/s 1 of 2 accounts" in text(page(north.owner))
    with tenancy.access_context(north.system):
        move_point(north.clients[1].account, NOW - timedelta(hours=9, minutes=32))
    words = text(page(north.owner))
    assert "Hashrate of all customers unknown 10.05 PH/s of 1 account, 4 Nov, 05:00 UTC" in words
    assert "0 TH/s" not in words


def test_a_provider_without_anything_is_told_where_to_start(north: Tenant) -> None:
    with tenancy.access_context(north.system):
        Credential.objects.filter(pk=north.credential.pk).update(state="retired")
    assert "There is no pool key yet" in needs(north)


def test_an_hour_that_lacks_an_account_is_a_gap_that_says_whose_hashrate_it_knows(north: Tenant) -> None:
    alder, birch = north.clients
    hour = NOW.replace(minute=0)
    with tenancy.access_context(north.system):
        HashratePoint.objects.all().delete()
        MiningAccount.objects.update(first_seen_at=NOW - timedelta(hours=3))
        for client, hours_ago in ((alder, 3), (birch, 3), (alder, 2)):
            HashratePoint.objects.create(
                provider=north.provider,
                mining_account=client.account,
                at=hour - timedelta(hours=hours_ago),
                hashrate_ths=18_500,
            )
    answer = page(north.owner)
    points = {at: rest for at, *rest in answer.context["chart"]["points"]}
    assert points[int((hour - timedelta(hours=3)).timestamp())] == ["37000.000000", 2, 0]
    assert points[int((hour - timedelta(hours=2)).timestamp())] == ["18500.000000", 1, 1]
    words = text(answer)
    assert "4 Nov 2026, 11:00 UTC 2 37.00 PH/s" in words
    assert "4 Nov 2026, 12:00 UTC 1 of 2 at least 18.50 PH/s" in words
    assert "4 Nov 2026, 13:00 UTC 0 of 2 unknown" in words
    assert answer.context["summary"] == (
        "Hashrate of the last 7 days: between 37.00 and 37.00 PH/s, last 37.00 PH/s. 166 of 168 hours are unknown."
        " 1 hour lacks accounts that are unknown."
    )
