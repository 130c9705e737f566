"""Two workers come to the same alert at the same moment."""

from __future__ import annotations

import pytest

from mining import alerts
from mining.models import Alert, MiningAccount
from tests.waiting import ended, in_thread, waits_for_us
from tests.world import NOW, World


@pytest.mark.django_db(transaction=True)
def test_of_two_workers_one_opens_an_alert_and_one_gets_it_to_tell(world: World) -> None:
    north = world.north
    taken: list[list[Alert]] = []
    with north.context():
        MiningAccount.objects.filter(name="client_0").update(payout_drift_since=NOW)
    with north.context():
        alerts.refresh(north.provider.pk, now=NOW)
        other = in_thread(lambda: alerts.refresh(north.provider.pk, now=NOW))
        assert waits_for_us(other)
    ended(other)

    with north.context():
        assert [alert.kind for alert in Alert.objects.all()] == ["payout_drift"]
        taken.append(alerts.take_untold(north.provider.pk, now=NOW))
        other = in_thread(lambda: taken.append(alerts.take_untold(north.provider.pk, now=NOW)))
        assert waits_for_us(other)
    ended(other)
    assert [len(new) for new in taken] == [1, 0]
