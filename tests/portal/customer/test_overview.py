from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.contracts import new_version
from customers import tenancy
from customers.models import ProviderProfile, Role
from mining.models import HashratePoint, MiningAccount, Reward
from tests.billing.books import open_story
from tests.portal.customer.scenes import read_the_pool, set_account, statement_of, words
from tests.world import FIRST_DAY, NOW, ClientOfProvider, Tenant, make_reward, move_point, person

NOVEMBER = date(2026, 11, 1)


def page(client: ClientOfProvider) -> str:
    return client.owner.browser().get("/overview/").content.decode()


def test_the_headline_says_how_many_machines_are_up(north: Tenant) -> None:
    text = words(page(north.clients[0]))

    assert text.startswith("50 of 52 machines are up 1 runs low, 1 is down.")


@pytest.mark.parametrize(
    ("online", "low", "offline", "headline"),
    [
        (52, 0, 0, "All 52 machines are up"),
        (0, 0, 7, "All 7 machines are down"),
        (1, 0, 0, "Your machine is up"),
        (0, 0, 1, "Your machine is down"),
        (1, 2, 0, "1 of 3 machines is up"),
        (0, 3, 0, "0 of 3 machines are up"),
        (1200, 0, 34, "1,200 of 1,234 machines are up"),
        (0, 0, 0, "The pool sees no machines"),
    ],
)
def test_every_count_has_its_sentence(north: Tenant, online: int, low: int, offline: int, headline: str) -> None:
    set_account(north.clients[0], north, workers_online=online, workers_low=low, workers_offline=offline)

    assert f"<h1>{headline}</h1>" in page(north.clients[0])


def test_owner_and_viewer_see_the_same_and_the_neighbour_sees_its_own(north: Tenant) -> None:
    statement_of(north)
    client, neighbour = north.clients

    owner = client.owner.browser().get("/overview/").content.decode()
    viewer = client.viewer.browser().get("/overview/").content.decode()

    assert words(owner) == words(viewer)
    assert neighbour.customer.name not in owner
    assert client.customer.name not in page(neighbour)


def test_final_and_not_final_rewards_stand_apart(north: Tenant) -> None:
    account = north.clients[0].account
    with tenancy.access_context(north.system):
        make_reward(account, NOVEMBER, total="0.00482259", fee="0.00012056")
        make_reward(account, NOVEMBER + timedelta(days=1), total="0.00486732", fee="0.00012168", status="pending")

    text = words(page(north.clients[0]))

    assert "Rewards in November, your part 0.00399673 BTC 1 final reward; your share is 85 % of net" in text
    assert "Our part 0.00070530" in text
    assert "1 not final yet ≈ 0.00403379" in text
    assert "All of October 0.00248625" in text
    assert "0.00803052" not in text  # their sum


def test_the_share_of_a_month_is_named_as_it_was_computed(north: Tenant) -> None:
    client = north.clients[0]
    with tenancy.access_context(north.system):
        make_reward(client.account, NOVEMBER, total="0.00482259", fee="0.00012056")

    def told(basis: str, borne_by: str) -> str:
        with tenancy.access_context(north.system):
            client.version.components.update(basis=basis, pool_fee_borne_by=borne_by)
        found = re.search(r"1 final reward(.*?) Our part", words(page(client)))
        assert found is not None
        return found[1]

    assert told("gross", "customer") == "; your share is 85 % of gross less the pool's fee"
    assert told("gross", "provider") == "; your share is 85 % of gross"
    assert told("gross", "shared") == "; your share is 85 % of net"
    with tenancy.access_context(north.system):
        later, terms = NOVEMBER + timedelta(days=2), {"kind": "revenue_share", "share_ppm": 100_000, "basis": "net"}
        new_version(north.system, client.contract, valid_from=later, settle_in="btc", components=[terms], now=NOW)
    assert told("net", "shared") == ", by the terms of each day"


def test_a_month_without_final_rewards_is_none_yet_and_not_zero(north: Tenant) -> None:
    text = words(page(north.clients[0]))

    assert "Rewards in November, your part none yet" in text
    assert "0.00000000" not in text


def test_rewards_that_were_never_read_are_unknown(north: Tenant) -> None:
    client = north.clients[0]
    set_account(client, north, rewards_read_at=None)
    with tenancy.access_context(north.system):
        Reward.objects.filter(customer=client.customer).delete()

    assert "Rewards in November, your part unknown never read" in words(page(client))


def test_rewards_without_terms_are_in_no_sum(north: Tenant) -> None:
    client = north.clients[1]
    with tenancy.access_context(north.system):
        client.version.valid = (date(2026, 12, 1), None)
        client.version.save()
        make_reward(client.account, NOVEMBER)

    text = words(page(client))

    assert "Rewards in November, your part none yet No terms are agreed for these days" in text
    assert "1 without agreed terms in no sum" in text


def test_the_last_statement_says_who_owes(north: Tenant) -> None:
    statement_of(north, index=0)
    statement_of(north, index=1)

    assert "We owe you 0.00248625 BTC For 1 statement, since 4 Nov 2026" in words(page(north.clients[0]))
    assert "You owe us 0.00043875 BTC For 1 statement, since 4 Nov 2026" in words(page(north.clients[1]))


def test_the_chart_has_a_place_for_every_hour_and_none_is_filled_up(north: Tenant) -> None:
    response = north.clients[0].owner.browser().get("/overview/")

    points = response.context["hashrate_chart"]["chart"]["points"]
    hour = NOW.replace(minute=0)
    assert len(points) == 7 * 24
    assert points[-1] == [int(hour.timestamp()), None]
    assert [at for at, ths in points if ths is not None] == [int((hour - timedelta(hours=1)).timestamp())]


def test_the_hour_that_was_read_is_drawn_exactly_and_listed_in_the_table(north: Tenant) -> None:
    client = north.clients[0]
    with tenancy.access_context(north.system):
        HashratePoint.objects.create(
            provider=north.provider,
            mining_account=client.account,
            customer=client.customer,
            at=NOW.replace(minute=0),
            hashrate_ths=Decimal("10050.5"),
        )

    response = client.owner.browser().get("/overview/")

    assert response.context["hashrate_chart"]["chart"]["points"][-1][1] == "10050.500000"
    text = words(response.content)
    assert "Hashrate now 10.05 PH/s Mean of the hour that began 32 min ago" in text
    assert "4 Nov 2026, 14:00 UTC 10.05 PH/s" in text
    assert "4 Nov 2026, 12:00 UTC unknown" in text


def test_a_mean_says_how_many_hours_are_not_in_it(north: Tenant) -> None:
    client = north.clients[0]
    with tenancy.access_context(north.system):
        HashratePoint.objects.filter(mining_account=client.account).delete()
        for back in (1, 2):
            HashratePoint.objects.create(
                provider=north.provider,
                mining_account=client.account,
                customer=client.customer,
                at=NOW.replace(minute=0) - timedelta(hours=back),
                hashrate_ths=Decimal(back * 100),
            )

    assert "Mean of 24 h 21 h of them unknown 150 TH/s" in words(page(client))


# ── Old, lost, never, not there


def test_fresh_data_carry_no_warning(north: Tenant) -> None:
    html = page(north.clients[0])

    assert '<span class="age is-up">' in html
    assert "banner" not in html


def test_late_data_stay_with_their_age_and_in_the_past_tense(north: Tenant) -> None:
    read_the_pool(north, at=NOW - timedelta(hours=2))

    html = page(north.clients[0])

    assert "50 of 52 machines were up That was 4 Nov 2026, 12:32 UTC." in words(html)
    assert '<span class="age is-low">' in html
    assert "The numbers from the pool are old" in html


def test_lost_data_are_unknown_with_the_last_known_value(north: Tenant) -> None:
    read_the_pool(north, at=NOW - timedelta(hours=7))

    text = words(page(north.clients[0]))

    assert text.startswith(
        "We do not know how your machines are Last read 4 Nov 2026, 07:32 UTC: 50 of 52 machines were"
    )
    assert "Machines unknown 50 of 52 up, 4 Nov, 07:32 UTC" in text
    assert "machines are up" not in text


def test_an_old_hashrate_is_unknown_beside_fresh_machines(north: Tenant) -> None:
    client = north.clients[0]
    with tenancy.access_context(north.system):
        move_point(client.account, NOW - timedelta(hours=5))

    assert "Hashrate now unknown 10.05 PH/s, 4 Nov, 09:32 UTC" in words(page(client))


def test_a_pool_that_was_never_read_starts_with_what_comes(north: Tenant) -> None:
    client = north.clients[0]
    read_the_pool(north, at=None)
    with tenancy.access_context(north.system):
        Reward.objects.filter(customer=client.customer).delete()

    html = page(client)

    assert "<h1>We have not read the pool yet</h1>" in html
    assert "First reading of the pool" in html
    assert "data-chart" not in html


def test_a_customer_without_an_account_is_told_so(north: Tenant) -> None:
    client = north.clients[0]
    with tenancy.access_context(north.system):
        Reward.objects.filter(customer=client.customer).delete()
        HashratePoint.objects.filter(mining_account=client.account).delete()
        client.account.delete()

    text = words(page(client))

    assert text.startswith("Your mining account is not there yet Northmere Hosting is setting it up.")


@pytest.mark.parametrize(
    ("state", "headline"),
    [
        (MiningAccount.State.CREATING, "Your mining account is being created"),
        (MiningAccount.State.DISABLED, "The pool does not answer for your account"),
        (MiningAccount.State.UNKNOWN, "The pool does not know your account at present"),
    ],
)
def test_an_account_that_is_not_active_is_the_headline(north: Tenant, state: str, headline: str) -> None:
    set_account(north.clients[0], north, state=state)

    assert f"<h1>{headline}</h1>" in page(north.clients[0])


# ── Hostile names, queries


def test_hostile_names_are_text(north: Tenant) -> None:
    with tenancy.access_context(north.system):
        story = open_story(north.system, name='<script>alert("x")</script><img src=x>')
        story.reward(3)
        document = story.issue(FIRST_DAY, NOW)
        browser = person(north.system, "o@hostile.example", Role.OWNER, story.customer).browser()
        ProviderProfile.objects.update(support_email='"><script>@example.com')

    for path in ("/overview/", "/rewards/", "/statements/", "/me/", f"/statements/{document.code}/"):
        html = browser.get(path).content.decode()
        assert "&lt;script&gt;alert" in html
        assert "<script>alert" not in html
        assert "<img src=x>" not in html
        assert '"><script>' not in html


def test_the_support_address_is_the_own_providers(north: Tenant) -> None:
    with tenancy.access_context(north.system):
        ProviderProfile.objects.update(support_email="help@north.example")

    assert "mailto:help@north.example" in page(north.clients[0])


def test_three_rewards_cost_as_many_queries_as_one(north: Tenant) -> None:
    client = north.clients[0]
    browser = client.owner.browser()
    browser.get("/overview/")
    with CaptureQueriesContext(connection) as three:
        browser.get("/overview/")
    with tenancy.access_context(north.system):
        kept = client.rewards[0].pk
        Reward.objects.filter(customer=client.customer).exclude(pk=kept).delete()
    with CaptureQueriesContext(connection) as one:
        browser.get("/overview/")

    assert len(three) == len(one)
