"""The fleet: every customer on one screen, the worst first; a customer's machines; sites; a machine retired by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.models import AuditEntry, Customer
from mining.models import Counts, MiningAccount, OpenCoverage, Worker
from tests.logins import login_of
from tests.portal.customer.scenes import words
from tests.portal.fleet import BEGAN, FELL, READ_AT, a_fleet
from tests.world import NOW, Tenant, World

pytestmark = pytest.mark.django_db
# How many of ten machines are online and low, by customer's name.
OTHERS = {"Cobalt": (0, 0), "Dunmore": (7, 3), "Eskdale": (10, 0), "Fenwick": (10, 0)}


@pytest.fixture
def fleet(north: Tenant) -> Tenant:
    """Alder & Finch with one of ten down, and others; Fenwick was not read for an hour."""
    a_fleet(north)
    with north.context():
        for name, (online, low) in OTHERS.items():
            add(north, name, online, low, read_at=NOW - timedelta(hours=1) if name == "Fenwick" else READ_AT)
    return north


def add(tenant: Tenant, name: str, online: int, low: int = 0, *, read_at: Any = READ_AT, site: str = "") -> Customer:
    customer = Customer.objects.create(provider=tenant.provider, name=name, email="x@x.example", created_at=NOW)
    account = MiningAccount.objects.create(
        provider=tenant.provider, login=login_of(tenant.provider), name=name.lower(), customer=customer, site=site,
        state="active", first_seen_at=BEGAN, counts_since=FELL, workers_online=online, workers_low=low,
        workers_offline=10 - online - low,
    )  # fmt: skip
    Worker.objects.bulk_create(
        Worker(
            provider=tenant.provider, mining_account=account, customer=customer, name=f"{name}-{number}",
            first_seen_at=BEGAN, last_seen_at=BEGAN,
        )
        for number in range(10)
    )  # fmt: skip
    for subject in ("counts", "names"):
        OpenCoverage.objects.create(
            provider=tenant.provider, mining_account=account, subject=subject, from_at=BEGAN, until_at=read_at
        )
    Counts.objects.create(
        provider=tenant.provider, mining_account=account, at=BEGAN, not_before=BEGAN, online=online, low=low,
        offline=10 - online - low,
    )  # fmt: skip
    return customer


def page(tenant: Tenant, path: str) -> str:
    answer = tenant.auditor.browser().get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def order_of(text: str, *names: str) -> list[str]:
    """Those names that stand in the text, as they stand."""
    return sorted((name for name in names if name in text), key=text.index)


NAMES = ("Alder & Finch", "Birch Mining", *OTHERS)


def test_the_worst_stand_first_and_each_state_has_its_tab(fleet: Tenant) -> None:
    text = words(page(fleet, "/staff/fleet/"))

    assert text.startswith("1 customer is down")
    # Birch Mining was never read.
    assert order_of(text.partition("State Customer")[2], *NAMES) == [
        "Cobalt", "Fenwick", "Birch Mining", "Dunmore", "Alder & Finch", "Eskdale",
    ]  # fmt: skip
    assert "All 6 Not up 5 Down 1 Low 2 Unknown 2 Up 1" in text


def test_a_tab_words_a_site_and_an_order_each_show_their_part(fleet: Tenant) -> None:
    def shown(query: str) -> list[str]:
        return order_of(words(page(fleet, f"/staff/fleet/?{query}")).partition("State Customer")[2], *NAMES)

    assert shown("state=low") == ["Dunmore", "Alder & Finch"]
    assert "Eskdale" not in shown("state=not_up")
    assert shown("q=DUNM") == ["Dunmore"]
    assert shown("q=Eskdale-4") == ["Eskdale"]  # one of its machines
    assert shown("q=%25") == []  # what is typed is no pattern
    assert shown("site=Bergvik+hall+2") == ["Alder & Finch"]
    assert shown("order=name") == sorted(NAMES)
    assert shown("order=missing")[0] == "Cobalt"


def test_a_site_has_its_machines_summed(fleet: Tenant) -> None:
    text = words(page(fleet, "/staff/fleet/"))

    assert "No site 5" in text
    assert "Bergvik hall 2 1 10 1 1 0 0" in text


def test_pages_follow_each_other_without_a_gap_in_each_order(fleet: Tenant) -> None:
    from mining.fleet.table import table

    with fleet.context():
        for order in ("", "name", "longest", "missing"):
            whole = [row.account.name for row in table(fleet.system, order=order, now=NOW).rows]
            pages, after = [], ""
            while after is not None:
                read = table(fleet.system, order=order, after=after, size=2, now=NOW)
                pages += [row.account.name for row in read.rows]
                after = read.after  # type: ignore[assignment]  # None ends it
            assert (order, pages) == (order, whole)
            assert len(whole) == 6


def test_the_neighbours_fleet_is_another(world: World, fleet: Tenant) -> None:
    text = page(world.south, "/staff/fleet/")

    assert "Cobalt" not in text
    assert "All 2" in words(text)


def test_more_customers_cost_no_more_queries_and_not_many(fleet: Tenant) -> None:
    browser = fleet.auditor.browser()
    counts = []
    for extra in range(2):
        with fleet.context():
            for number in range(extra * 6):
                add(fleet, f"More {number}", number)
        browser.get("/staff/fleet/")
        with CaptureQueriesContext(connection) as asked:
            browser.get("/staff/fleet/")
        counts.append([query["sql"] for query in asked if query["sql"].lstrip().startswith(("SELECT", "WITH", "--"))])

    assert len(counts[0]) == len(counts[1])
    own = [sql for sql in counts[1] if "mining_" in sql]
    assert len(own) <= 12


def test_the_file_has_every_customer(fleet: Tenant) -> None:
    lines = page(fleet, "/staff/fleet/csv/").splitlines()

    assert lines[0].startswith("customer,name,mining_account,site,state,since,expected,up")
    assert [line.split(",")[1] for line in lines[1:3]] == ["Cobalt", "Fenwick"]
    assert len(lines) == 7


def test_staff_see_a_customers_machines_and_uptime_as_the_customer_does(fleet: Tenant) -> None:
    client = fleet.clients[0]
    ours, theirs = f"/staff/customers/{client.customer.code}", client.viewer.browser()
    machine = a_fleet(fleet)["rig3"].code

    for path in ("machines/", "uptime/?month=2026-10", f"machines/{machine}/"):
        theirs_text = words(theirs.get(f"/{path}").content.decode())
        headline = theirs_text.partition("since")[0][-30:] if machine in path else theirs_text[:20]
        assert headline.strip().split("/")[-1].strip() in words(page(fleet, f"{ours}/{path}"))
    assert page(fleet, f"{ours}/uptime/csv/?month=2026-10") == theirs.get("/uptime/csv/?month=2026-10").content.decode()
    assert page(fleet, f"{ours}/machines/csv/") == theirs.get("/machines/csv/").content.decode()


def test_a_machine_that_is_down_is_retired_by_hand_and_another_is_not(fleet: Tenant) -> None:
    machines, support = a_fleet(fleet), fleet.support
    base = f"/staff/customers/{fleet.clients[0].customer.code}/machines"
    browser = support.browser()

    up = browser.post(f"{base}/{machines['rig1'].code}/retire/", support.form(), follow=True)
    down = browser.post(f"{base}/{machines['rig3'].code}/retire/", support.form(), follow=True)

    assert "rig1 is not known to be offline" in words(up.content)
    assert "rig3 is retired since 14:32" in words(down.content)
    with fleet.context():
        acts = AuditEntry.objects.filter(action="worker.retired").values_list("subject", "actor")
        assert list(acts) == [(machines["rig3"].code, support.user.email)]


def test_sites_are_labels_of_accounts_and_of_single_machines(fleet: Tenant) -> None:
    machines, support = a_fleet(fleet), fleet.support
    base = f"/staff/customers/{fleet.clients[0].customer.code}"
    browser = support.browser()

    browser.post(f"{base}/site/", support.form(site="  Sandmoor "))
    browser.post(f"{base}/machines/{machines['rig3'].code}/site/", support.form(site="Roof"))
    long = browser.post(f"{base}/machines/{machines['rig3'].code}/site/", support.form(site="x" * 65), follow=True)

    text = words(page(fleet, f"{base}/machines/"))
    assert "Down rig3 since 13:05 Roof" in text
    assert "Up rig0 Sandmoor" in text
    assert "at most 64 characters" in words(long.content)
    assert page(fleet, "/staff/fleet/?site=Roof").count("Alder") == page(fleet, "/staff/fleet/?site=Sandmoor").count(
        "Alder"
    )
