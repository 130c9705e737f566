"""The customer's own alerts: what stands, the rules that its owners set, and what each user is mailed."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mining.models import Alert, AlertRule, AlertWishes
from tests.portal.staff.reading import heading, text
from tests.world import NOW, ClientOfProvider, Tenant

pytestmark = pytest.mark.django_db
PAGE = "/alerts/"


@pytest.fixture
def alder(north: Tenant) -> ClientOfProvider:
    return north.clients[0]


def low(tenant: Tenant, client: ClientOfProvider, **fields: object) -> None:
    with tenant.context():
        Alert.objects.create(
            provider=tenant.provider, kind="hashrate_low", customer=client.customer, mining_account=client.account,
            **{"stood_at": NOW, "opened_at": NOW, "value": 61, "base": 100} | fields,
        )  # fmt: skip


def test_it_shows_the_customers_own_and_neither_the_staffs_nor_anothers(north: Tenant, alder: ClientOfProvider) -> None:
    low(north, alder)  # the staff's
    low(north, north.clients[1], for_customer=north.clients[1].customer)
    assert heading(alder.owner.browser().get(PAGE)) == "No alert is open"
    low(north, alder, for_customer=alder.customer)
    page = alder.viewer.browser().get(PAGE)
    assert heading(page) == "1 alert is open"
    assert "Hashrate at 61 % of its usual 100 TH/s" in text(page)


def test_an_owner_sets_the_rule_and_a_viewer_chooses_to_be_mailed(north: Tenant, alder: ClientOfProvider) -> None:
    rule = {"worker_down-is_on": "on", "worker_down-threshold": "30", "worker_down-unit": "minutes"}
    given = alder.owner.form(**rule, **{"worker_down-clear_minutes": "5"})
    assert alder.owner.browser().post(f"{PAGE}rules/worker_down/", given).status_code == 302
    viewer = alder.viewer
    viewer.browser().post(f"{PAGE}mails/", viewer.form(kinds=["worker_down"], time_zone="UTC", alarms_wake="on"))
    with north.context():
        kept = AlertRule.objects.get(customer=alder.customer)
        wishes = AlertWishes.objects.get()
    assert (kept.kind, kept.is_on, kept.threshold, kept.clear_minutes) == ("worker_down", True, Decimal(30), 5)
    assert (wishes.membership_id, wishes.customer_id, wishes.kinds) == (
        viewer.membership.pk, alder.customer.pk, ["worker_down"],
    )  # fmt: skip


def test_a_limit_that_makes_no_sense_is_said_on_the_page_and_kinds_of_the_staff_are_none(
    alder: ClientOfProvider,
) -> None:
    given = {"worker_down-threshold": "0", "worker_down-unit": "minutes", "worker_down-clear_minutes": "5"}
    browser = alder.owner.browser()
    assert "The limit is more than 0" in text(browser.post(f"{PAGE}rules/worker_down/", alder.owner.form(**given)))
    assert browser.post(f"{PAGE}rules/key_refused/", alder.owner.form()).status_code == 404
