"""The customer's machines and their uptime: which is down since when, and why a month is what it is."""

from __future__ import annotations

import csv
import io
import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mining.models import OpenCoverage, Worker
from tests.portal.customer.scenes import words
from tests.portal.fleet import FELL, READ_AT, a_fleet
from tests.world import ClientOfProvider, Tenant, World


@pytest.fixture
def machines(north: Tenant) -> dict[str, Worker]:
    return a_fleet(north)


def page(client: ClientOfProvider, path: str) -> str:
    answer = client.viewer.browser().get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def rows(client: ClientOfProvider, path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(page(client, path))))


def test_the_first_line_says_how_many_are_down_and_since_when(north: Tenant, machines: dict[str, Worker]) -> None:
    text = words(page(north.clients[0], "/machines/"))

    assert text.startswith("1 machine is down since 13:05 9 of 10 hash, 1 of them low.")
    assert "Machines up 8 of 10" in text
    assert text.index("Down rig3") < text.index("Up rig0")
    assert "All 10 Down 1 Up 9 Retired 1" in text
    assert "13:05, 1 h 27 min" in text.replace("\u00a0", " ")


def test_a_tab_a_search_and_an_order_each_show_their_part(north: Tenant, machines: dict[str, Worker]) -> None:
    client = north.clients[0]

    assert [name in page(client, "/machines/?state=retired") for name in (">old<", ">rig3<")] == [True, False]
    assert [name in page(client, "/machines/?q=RIG4") for name in (">rig4<", ">rig3<")] == [True, False]
    by_name = words(page(client, "/machines/?order=name"))
    assert by_name.index("Up rig2") < by_name.index("Down rig3") < by_name.index("Up rig4")
    assert "No machine matches." in words(page(client, "/machines/?q=nowhere"))


def test_what_is_not_read_of_late_is_unknown_and_not_down(north: Tenant, machines: dict[str, Worker]) -> None:
    with north.context():
        OpenCoverage.objects.update(until_at=FELL)

    text = words(page(north.clients[0], "/machines/"))

    assert text.startswith("Not known how the machines are Last read 13:05.")
    assert "All 10 Unknown 10 Up 0 Retired 1" in text


def test_one_machine_tells_its_outages_with_their_bounds(north: Tenant, machines: dict[str, Worker]) -> None:
    down = words(page(north.clients[0], f"/machines/{machines['rig3'].code}/"))
    flapped = words(page(north.clients[0], f"/machines/{machines['rig8'].code}/")).replace("\u00a0", " ")

    assert "rig3 is down since 13:05" in down
    assert "It was last listed at 13:00 UTC, and missing at 13:05 UTC" in down
    assert "Outages in 30 days 3 6 h in all" in flapped
    assert "It fell between 21 Oct, 05:55 and 21 Oct, 06:00" in flapped
    assert "and came back between 21 Oct, 07:55 and 21 Oct, 08:00; counts" in flapped
    assert "Curtailment: asked for by the grid does not count" in flapped


def test_the_month_is_worked_out_with_its_own_numbers(north: Tenant, machines: dict[str, Worker]) -> None:
    text = words(page(north.clients[0], "/uptime/?month=2026-10"))

    # 10 machines, 31 days; 4 hours excluded, 12 hours unknown; one machine down for three times two hours.
    assert text.startswith("Machines / Uptime 99.9 % up in October 3 stops")
    assert "10 machines × 31 days 26,784,000 s Excluded, 1 window −144,000 s Unknown, not read −432,000 s" in text
    assert "What counts 26,208,000 s Down, 3 stops −21,600 s Up 26,186,400 s" in text
    assert "26,186,400 ÷ 26,208,000 = 99.9175 %" in text.replace("\u00a0", " ")
    assert "Down 21,600 + low 0 + excluded 144,000 + unknown 432,000 = 597,600 s." in text
    assert "The rest, 26,186,400 s, was up." in text
    assert "rig8" in text


def test_files_have_the_rows_of_the_pages(north: Tenant, machines: dict[str, Worker]) -> None:
    client = north.clients[0]

    listed = rows(client, "/machines/csv/")
    stops = rows(client, "/uptime/csv/?month=2026-10")
    told = json.loads(page(client, "/uptime/json/?month=2026-10"))
    history = rows(client, f"/machines/{machines['rig3'].code}/csv/")

    assert (listed[0]["name"], listed[0]["state"], listed[0]["since"]) == ("rig3", "down", "2026-11-04T13:05:00Z")
    assert len(listed) == 11
    assert sum(int(row["worker_seconds"]) for row in stops) == 597_600
    assert (told["total"]["down_s"], told["total"]["share"], len(told["days"])) == (21_600, "0.999175", 31)
    assert [row["worker_seconds"] for row in told["evidence"]] == [int(row["worker_seconds"]) for row in stops]
    assert history[-2]["state"] == "down"
    assert history[-2]["until"] == READ_AT.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_months_before_the_account_and_after_today_are_no_pages(north: Tenant, machines: dict[str, Worker]) -> None:
    browser = north.clients[0].viewer.browser()

    asked = ("2026-09", "2026-12", "2026-1", "nonsense", "2026-10-01")
    assert [browser.get(f"/uptime/?month={month}").status_code for month in asked] == [404] * 5


def test_nobody_sees_anothers_machine(world: World, machines: dict[str, Worker]) -> None:
    path = f"/machines/{machines['rig3'].code}/"
    for neighbour in (world.north.clients[1], world.south.clients[0]):
        browser = neighbour.viewer.browser()
        assert browser.get(path).status_code == 404
        assert browser.get(f"{path}csv/").status_code == 404
        assert "rig3" not in browser.get("/machines/").content.decode()


def test_before_the_first_reading_each_page_says_so(north: Tenant) -> None:
    client = north.clients[0]

    assert "No machine is known yet." in words(page(client, "/machines/"))
    assert words(page(client, "/uptime/")).startswith("No uptime yet")
    assert client.viewer.browser().get("/uptime/csv/").status_code == 404


def test_more_machines_cost_no_more_queries(north: Tenant, machines: dict[str, Worker]) -> None:
    browser = north.clients[0].viewer.browser()
    counts = []
    for extra in (0, 30):
        with north.context():
            Worker.objects.bulk_create(
                Worker(
                    provider=north.provider, mining_account=north.clients[0].account, name=f"more{number}",
                    customer=north.clients[0].customer, first_seen_at=FELL, last_seen_at=FELL,
                )
                for number in range(extra)
            )  # fmt: skip
        browser.get("/machines/")
        with CaptureQueriesContext(connection) as asked:
            browser.get("/machines/")
        counts.append(len(asked))

    assert counts[0] == counts[1]
