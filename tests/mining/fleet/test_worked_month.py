"""The month that docs/uptime.md works out by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction

from customers import tenancy
from mining.fleet import exclusions, roster, uptime
from mining.models import Basis, Counts, Coverage, Exclusion, MiningAccount, Outage, Worker
from tests.world import World

OCTOBER = datetime(2026, 10, 1, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)


def october(day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2026, 10, day, hour, minute, tzinfo=UTC)


def read(account: MiningAccount, at: datetime, online: int, low: int = 0, *, not_before: datetime) -> None:
    Counts.objects.create(
        provider_id=account.provider_id,
        mining_account=account,
        at=at,
        not_before=not_before,
        online=online,
        low=low,
        offline=10 - online - low,
    )


def covered(account: MiningAccount, from_at: datetime, until_at: datetime) -> None:
    for subject in ("counts", "names"):
        Coverage.objects.create(
            provider_id=account.provider_id,
            mining_account=account,
            subject=subject,
            from_at=from_at,
            until_at=until_at,
        )


def october_of(account: MiningAccount) -> None:
    before = OCTOBER - timedelta(hours=1)
    MiningAccount.objects.filter(pk=account.pk).update(first_seen_at=before, site="hall 2", counts_since=before)
    account.refresh_from_db()
    Worker.objects.bulk_create(
        Worker(
            provider_id=account.provider_id,
            mining_account=account,
            name=f"rig{number}",
            first_seen_at=before,
            last_seen_at=before,
        )
        for number in range(10)
    )
    covered(account, before, october(9))
    covered(account, october(9, 12), NOVEMBER)
    read(account, before, 10, not_before=before)
    read(account, october(3, 6, 5), 8, not_before=october(3, 6))
    read(account, october(3, 14, 5), 10, not_before=october(3, 14))
    read(account, october(15, 18), 0, not_before=october(15, 17, 55))
    read(account, october(15, 20), 10, not_before=october(15, 19, 55))
    read(account, october(20, 10), 9, 1, not_before=october(20, 9, 55))
    read(account, october(20, 11), 10, not_before=october(20, 10, 55))


def test_the_worked_month_comes_out_as_it_was_worked_out(world: World) -> None:
    north = world.north
    account = north.clients[0].account
    with north.context():
        october_of(account)
        exclusions.enter(
            north.system,
            site="hall 2",
            from_at=october(15, 18),
            until_at=october(15, 20),
            reason=Exclusion.Reason.CURTAILMENT,
            now=NOVEMBER,
        )

        month = uptime.month(north.system, account, OCTOBER.date(), now=NOVEMBER)

    assert (month.expected_s, month.unknown_s, month.excluded_s) == (26_784_000, 432_000, 72_000)
    assert (month.up_s, month.low_s, month.down_s) == (26_218_800, 3_600, 57_600)
    assert month.share() == Fraction(26_218_800, 26_280_000)
    assert month.share(low_counts=True) == Fraction(26_222_400, 26_280_000)
    assert month.bounds() == (Fraction(26_214_900, 26_280_000), Fraction(26_219_700, 26_280_000))


def test_a_customer_sees_the_same_figures_and_not_the_neighbours(world: World) -> None:
    north = world.north
    mine = north.clients[0]
    with north.context():
        october_of(mine.account)
        exclusions.enter(north.system, from_at=october(15, 18), until_at=october(15, 20), reason="power", now=NOVEMBER)
        ours = uptime.month(north.system, mine.account, OCTOBER.date(), now=NOVEMBER)
    with tenancy.access_context(mine.owner.access):
        seen = uptime.month(mine.owner.access, mine.account, OCTOBER.date(), now=NOVEMBER)
        by_names = uptime.month(mine.owner.access, mine.account, OCTOBER.date(), basis=Basis.NAMES, now=NOVEMBER)
    with tenancy.access_context(north.clients[1].owner.access):
        hidden = uptime.month(north.clients[1].owner.access, mine.account, OCTOBER.date(), now=NOVEMBER)

    assert seen == ours
    assert (by_names.excluded_s, by_names.unknown_s) == (72_000, 432_000)
    assert hidden == uptime.Uptime()


def test_a_customer_sees_what_began_as_long_ago_as_its_provider_lets_a_machine_be_missing(world: World) -> None:
    north, last_day = world.north, october(31).date()
    mine = north.clients[0]
    with north.context():
        october_of(mine.account)
        roster.set_retirement(north.system, days=365, now=NOVEMBER)
        began = OCTOBER - timedelta(days=14)
        Outage.objects.create(
            provider=north.provider,
            mining_account=mine.account,
            customer=mine.customer,
            worker=Worker.objects.get(mining_account=mine.account, name="rig3"),
            from_at=began,
            from_not_before=began,
            until_at=october(31, 12),
            until_not_before=october(31, 12),
        )
        ours = uptime.days(
            north.system, [mine.account], first=last_day, last=last_day, basis=Basis.NAMES, now=NOVEMBER
        )[mine.account.pk][last_day]
    with tenancy.access_context(mine.owner.access):
        seen = uptime.days(
            mine.owner.access, [mine.account], first=last_day, last=last_day, basis=Basis.NAMES, now=NOVEMBER
        )[mine.account.pk][last_day]

    assert ours.down_s == 12 * 3_600
    assert seen == ours
