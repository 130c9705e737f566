from __future__ import annotations

import csv
import io
import re
from datetime import date, timedelta

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.contracts import new_version
from billing.shares import shares_of
from billing.words import btc_text
from customers import tenancy
from mining.models import PayoutAgreement, Reward
from tests.billing.books import change_amount
from tests.portal.customer.scenes import set_account, statement_of, words
from tests.world import FIRST_DAY, NOW, Tenant, World, make_reward

NOVEMBER = date(2026, 11, 1)
Cells = list[str]


def table(html: str) -> list[Cells]:
    """The rows of the list, cell by cell, as text."""
    body = html[html.index("<tbody>") : html.index("</tbody>")]
    return [
        [words(cell) for cell in re.findall(r"<t[hd]\b[^>]*>(.*?)</t[hd]>", row, flags=re.S)]
        for row in re.findall(r"<tr\b[^>]*>(.*?)</tr>", body, flags=re.S)
    ]


def sums(html: str) -> list[Cells]:
    foot = html[html.index("<tfoot>") : html.index("</tfoot>")]
    return [
        [words(cell) for cell in re.findall(r"<t[hd]\b[^>]*>(.*?)</t[hd]>", row, flags=re.S)]
        for row in re.findall(r"<tr\b[^>]*>(.*?)</tr>", foot, flags=re.S)
    ]


def get(browser: Client, query: str = "") -> str:
    return browser.get(f"/rewards/{query}").content.decode()


def download(browser: Client, query: str = "") -> list[dict[str, str]]:
    response = browser.get(f"/rewards/csv/{query}")
    body = b"".join(response.streaming_content)  # type: ignore[attr-defined]  # the test client's answer is untyped
    return list(csv.DictReader(io.StringIO(body.decode())))


def test_every_figure_of_the_list_is_that_of_its_row(north: Tenant) -> None:
    client = north.clients[0]
    with tenancy.access_context(north.system):
        rows = list(Reward.objects.filter(customer=client.customer).order_by("-day"))
        parts = shares_of(rows)

    shown = table(get(client.owner.browser()))

    assert shown == [
        [
            f"{row.day.day} Oct",
            "Final",
            "us",
            "10.05",
            btc_text(row.total_sat),
            btc_text(row.fee_sat),
            btc_text(row.net_sat),
            _btc(parts[row.pk].provider_share_sat),
            _btc(parts[row.pk].customer_share_sat),
        ]
        for row in rows
    ]
    assert shown[0][4:] == ["0.00100000", "0.00002500", "0.00097500", "0.00014625", "0.00082875"]


def test_the_newest_month_is_shown_first_with_its_sums(north: Tenant) -> None:
    client = north.clients[0]
    with tenancy.access_context(north.system):
        make_reward(client.account, NOVEMBER)
        make_reward(client.account, NOVEMBER + timedelta(days=1), status="pending", destination="external_address")

    html = get(client.owner.browser())

    assert "<h1>Rewards in November 2026</h1>" in html
    assert [row[:3] for row in table(html)] == [["2 Nov", "Not final", "an address"], ["1 Nov", "Final", "us"]]
    assert sums(html) == [
        ["Final", "1 reward", "", "", "0.00100000", "0.00002500", "0.00097500", "0.00014625", "0.00082875"],
        ["Not final", "1 reward", "", "", "0.00100000", "0.00002500", "0.00097500", "0.00014625", "0.00082875"],
    ]


def test_our_part_stands_beside_what_it_is_a_share_of(north: Tenant) -> None:
    client = north.clients[0]
    version = client.version

    def our_part() -> str:
        told = re.search(r"Our part BTC (.*?) Pool's fee", words(get(client.owner.browser())))
        assert told is not None
        return told[1]

    def agreed(basis: str, borne_by: str) -> None:
        with tenancy.access_context(north.system):
            version.components.update(basis=basis, pool_fee_borne_by=borne_by)

    assert our_part() == "0.00043875 15 % of net 0.00292500"
    agreed("gross", "customer")
    assert our_part() == "0.00045000 15 % of gross 0.00300000"
    agreed("gross", "provider")
    assert our_part() == "0.00037500 15 % of gross 0.00300000 less the pool's fee"
    agreed("gross", "shared")
    assert our_part() == "0.00043875 15 % of net 0.00292500"
    with tenancy.access_context(north.system):
        later, terms = FIRST_DAY + timedelta(days=2), {"kind": "revenue_share", "share_ppm": 100_000, "basis": "net"}
        new_version(north.system, client.contract, valid_from=later, settle_in="btc", components=[terms], now=NOW)
    assert our_part() == "0.00039000 of net 0.00292500, by the terms of each day"


def test_filters_by_month_and_status_and_sums_only_what_is_shown(north: Tenant) -> None:
    client = north.clients[0]
    browser = client.owner.browser()
    with tenancy.access_context(north.system):
        make_reward(client.account, NOVEMBER, status="canceled")

    absent = "4 Oct 2026 to 31 Oct 2026"
    assert [row[0] for row in table(get(browser, "?month=2026-10"))] == [absent, "3 Oct", "2 Oct", "1 Oct"]
    assert [row[0] for row in table(get(browser, "?month=all"))] == [
        "1 Nov 2026",
        absent,
        "3 Oct 2026",
        "2 Oct 2026",
        "1 Oct 2026",
    ]
    assert [row[0] for row in table(get(browser, "?month=all&status=canceled"))] == ["1 Nov 2026"]
    assert "<tfoot>" not in get(browser, "?month=2026-11&status=canceled")
    assert "No reward matches." in get(browser, "?month=2026-10&status=pending")


def test_a_filter_that_means_nothing_is_told_and_nothing_is_listed_or_summed(north: Tenant) -> None:
    html = get(north.clients[0].owner.browser(), "?month=1999-01&status=paid")

    assert "There are no rewards of that month." in html
    assert "Choose one of the list." in html
    html = get(north.clients[0].owner.browser(), "?month=2026-10&status=paid")
    assert "Nothing is listed" in html
    assert not re.search("<tbody>|<tfoot>|0[.]00", html)


def test_each_status_has_its_word_and_what_is_not_known_has_no_parts(north: Tenant) -> None:
    client = north.clients[0]
    with tenancy.access_context(north.system):
        for day, status in enumerate(("pending", "canceled", "unknown"), start=4):
            make_reward(client.account, FIRST_DAY.replace(day=day), status=status)

    shown = {row[0]: (row[1], *row[7:]) for row in table(get(client.owner.browser()))}

    assert shown["4 Oct"] == ("Not final", "0.00014625", "0.00082875")
    assert shown["5 Oct"] == ("Canceled by the pool", "–", "–")
    assert shown["6 Oct"] == ("Unknown", "unknown", "unknown")


def test_what_was_not_paid_as_agreed_says_so_calmly_and_only_to_its_customer(north: Tenant) -> None:
    alder, birch = north.clients
    with tenancy.access_context(north.system):
        PayoutAgreement.objects.create(
            provider=north.provider, mining_account=birch.account, customer=birch.customer, source="found",
            destination="main_balance", agreed_by="worker", agreed_at=birch.rewards[1].reward_at,
        )  # fmt: skip
    shown = {row[0]: row[1] for row in table(get(birch.owner.browser()))}
    assert shown == {"1 Oct": "Final", "2 Oct": "Final Not paid as agreed", "3 Oct": "Final Not paid as agreed"}
    latest = birch.owner.browser().get("/overview/").content.decode()
    assert latest.count("Not paid as agreed") == 2
    assert {row[1] for row in table(get(alder.owner.browser()))} == {"Final"}


def test_what_is_odd_about_a_reward_is_told_in_its_row(north: Tenant) -> None:
    client = north.clients[0]
    day = FIRST_DAY.replace(day=9)
    with tenancy.access_context(north.system):
        odd = make_reward(client.account, day)
        odd.currency, odd.missing_since, odd.hashrate_hs, odd.payout_destination = "LTC", NOW, None, "unknown"
        odd.save()
        make_reward(client.account, FIRST_DAY - timedelta(days=1))

    rows = {row[0]: row for row in table(get(client.owner.browser(), "?month=all"))}

    assert rows["9 Oct 2026"][1:4] == ["Final Not paid in BTC No longer listed by the pool", "unknown", "unknown"]
    assert rows["9 Oct 2026"][4:] == ["–"] * 5
    assert rows["30 Sep 2026"][1] == "Final No terms agreed for this day"
    assert rows["30 Sep 2026"][7:] == ["–", "–"]


def test_two_records_of_one_day_are_two_rows(north: Tenant) -> None:
    client = north.clients[0]
    with tenancy.access_context(north.system):
        make_reward(client.account, FIRST_DAY, total="0.00000100", fee="0.00000002", occurrence=2)

    assert [row[0] for row in table(get(client.owner.browser()))] == ["3 Oct", "2 Oct", "1 Oct", "1 Oct"]


def test_long_lists_come_in_pages_without_a_gap_or_a_double(north: Tenant) -> None:
    client = north.clients[0]
    browser = client.owner.browser()
    with tenancy.access_context(north.system):
        for back in range(1, 120):
            make_reward(client.account, FIRST_DAY - timedelta(days=back))

    first = get(browser, "?month=all")
    after = re.search(r'href="([^"]*after=[^"]*)" rel="next"', first)
    assert after is not None
    second = get(browser, after[1].replace("&amp;", "&"))

    days = [row[0] for row in table(first) + table(second)]
    assert (len(table(first)), len(days), len(set(days))) == (100, 122, 122)
    assert 'rel="next"' not in second


def test_a_neighbours_reward_is_no_place_in_the_list(north: Tenant) -> None:
    theirs = north.clients[1].rewards[1]

    assert north.clients[0].owner.browser().get(f"/rewards/?after={theirs.code}").status_code == 404
    assert north.clients[0].owner.browser().get("/rewards/?after=%00").status_code == 404


def test_owner_and_viewer_see_the_same(north: Tenant) -> None:
    client = north.clients[0]

    assert words(get(client.owner.browser())) == words(get(client.viewer.browser()))
    assert download(client.owner.browser()) == download(client.viewer.browser())


def test_the_file_has_the_numbers_of_the_page(north: Tenant) -> None:
    client = north.clients[0]
    with tenancy.access_context(north.system):
        make_reward(client.account, NOVEMBER, destination="external_address", status="pending")
        make_reward(client.account, NOVEMBER + timedelta(days=1), status="unknown")
    browser = client.owner.browser()

    for query in ("", "?month=2026-10", "?month=all", "?month=all&status=successful"):
        page = [row[4:] for row in table(get(browser, query)) if "No reward" not in row[1]]
        file = [
            [
                _btc(row[name])
                for name in ("total_sat", "fee_sat", "net_sat", "provider_share_sat", "customer_share_sat")
            ]
            for row in download(browser, query)
        ]
        assert page == file
    assert 'href="/rewards/csv/?month=2026-11"' in get(browser)


def _btc(sat: str | int | None) -> str:
    return "unknown" if sat in ("", None) else btc_text(int(sat))


def test_the_file_keeps_the_pools_own_words(north: Tenant) -> None:
    client = north.clients[1]
    row = download(client.owner.browser())[0]

    assert (row["date"], row["status"], row["currency"]) == ("2026-10-03", "successful", "BTC")
    assert (row["total_reward"], row["pool_fee"], row["net_reward"]) == ("0.00100000", "0.00002500", "0.00097500")
    assert row["payout_address"] == "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
    assert row["hashrate_hs"] == "10050000000000000"
    assert row["reward"] == client.rewards[2].code


def test_a_spreadsheet_runs_nothing_that_somebody_wrote(north: Tenant) -> None:
    client = north.clients[0]
    with tenancy.access_context(north.system):
        reward = make_reward(client.account, NOVEMBER)
        reward.transaction_hash, reward.payout_address, reward.currency = "=1+1", "@SUM(A1)", "-BTC"
        reward.save()

    row = download(client.owner.browser(), "?month=2026-11")[0]

    assert (row["transaction_hash"], row["payout_address"], row["currency"]) == ("'=1+1", "'@SUM(A1)", "'-BTC")


def test_a_wrong_filter_gives_no_file_but_the_page_that_says_why(north: Tenant) -> None:
    response = north.clients[0].owner.browser().get("/rewards/csv/?month=1999-01")

    assert (response.status_code, response["Location"]) == (302, "/rewards/?month=1999-01")


def test_without_rewards_the_page_says_when_the_first_comes(north: Tenant) -> None:
    client = north.clients[0]
    with tenancy.access_context(north.system):
        Reward.objects.filter(customer=client.customer).delete()
    set_account(client, north, rewards_read_at=None)

    text = words(get(client.owner.browser()))

    assert text.startswith("Rewards All months")
    assert "No rewards yet." in text
    assert download(client.owner.browser()) == []


def test_three_rewards_cost_as_many_queries_as_one(north: Tenant) -> None:
    client = north.clients[0]
    browser = client.owner.browser()
    with tenancy.access_context(north.system):
        make_reward(client.account, NOVEMBER)
    get(browser)
    with CaptureQueriesContext(connection) as one:
        get(browser, "?month=2026-11")
    with CaptureQueriesContext(connection) as three:
        get(browser, "?month=2026-10")

    assert len(one) == len(three)


def test_a_reward_that_a_statement_says_otherwise_is_marked_on_every_page_and_the_sums_say_why(north: Tenant) -> None:
    client = north.clients[0]
    document = statement_of(north)
    with tenancy.access_context(north.system):
        change_amount(client.rewards[1], "0.00200000", "0.00005000")
    browser = client.owner.browser()

    page = words(get(browser, "?month=2026-10"))
    mark = f"Was 0.00082875 on {document.number} , changed 4 Nov 2026; goes on the next document"
    assert page.count(mark) == 2  # in the list, and above it
    assert f"What changed after {document.number} +82,875 satoshi for you" in page
    assert mark in words(browser.get(f"/statements/{document.code}/").content)
    overview = words(browser.get("/overview/").content)
    assert f"All of October 0.00331500 +82,875 satoshi after {document.number}" in overview
    (changed,) = [row for row in download(browser, "?month=2026-10") if row["statement"]]
    assert (
        changed["date"],
        changed["statement"],
        changed["statement_customer_share_sat"],
        changed["put_right_on"],
    ) == (
        "2026-10-02",
        document.number,
        "82875",
        "",
    )


def test_the_neighbours_statement_marks_nothing(world: World) -> None:
    statement_of(world.north)
    with tenancy.access_context(world.north.system):
        change_amount(world.north.clients[0].rewards[1], "0.00200000", "0.00005000")
    for other in (world.north.clients[1], world.south.clients[0]):
        assert "goes on the next document" not in words(get(other.owner.browser(), "?month=2026-10"))


def test_a_day_without_a_reward_is_a_row_of_its_own_in_lists_and_on_the_statement(north: Tenant) -> None:
    client = north.clients[0]
    with tenancy.access_context(north.system):
        make_reward(client.account, date(2026, 10, 5))
    browser = client.owner.browser()
    rows = table(get(browser, "?month=2026-10"))
    assert [row[0] for row in rows] == ["5 Oct", "4 Oct 2026", "3 Oct", "2 Oct", "1 Oct"]
    assert rows[1][1:] == ["No reward The pool lists none: unknown, not zero", "", "", *["unknown"] * 5]
    assert "4 Oct 2026" not in words(get(browser, "?month=2026-10&status=successful"))
    assert "4 Oct 2026 No reward: unknown, not zero" in words(browser.get("/overview/").content)
    document = statement_of(north)
    lines = table(browser.get(f"/statements/{document.code}/").content.decode())
    assert [row[0] for row in lines][3:] == ["4 Oct No reward: the pool lists none", "5 Oct"]
    with tenancy.access_context(north.system):
        make_reward(client.account, date(2026, 10, 4))  # it came: what was issued stays as it is
    assert lines == table(browser.get(f"/statements/{document.code}/").content.decode())


def test_pages_of_rewards_have_each_absent_day_once(north: Tenant) -> None:
    client = north.clients[0]
    with tenancy.access_context(north.system):
        for n in range(120):
            make_reward(client.account, date(2026, 9, 1) - timedelta(days=n))
    browser = client.owner.browser()
    seen, path = [], "/rewards/?month=all"
    while path:
        page = browser.get(path)
        seen += [absent for _, _, absent in page.context["rows"] if absent]
        path = f"/rewards/?month=all&after={page.context['after']}" if page.context["after"] else ""
    assert [(absent.first_day, absent.last_day) for absent in seen] == [(date(2026, 9, 2), date(2026, 9, 30))]
