"""What a draft leaves out, and a draft too small to issue: on pages, over the API, and for the customer."""

from __future__ import annotations

import re
from typing import Any

import pytest

from billing import contracts
from billing.models import Document
from billing.settlement import close_period
from customers import tenancy
from mining.models import Reward
from tests.portal.api.conftest import Caller
from tests.portal.staff.reading import rows, text
from tests.world import FIRST_DAY, NOW, Tenant, World, make_reward, make_twin

pytestmark = pytest.mark.django_db

ISSUE = "/staff/documents/issue/"
HELD = "1 record of the pool was not taken in, for 1 October 2026."


@pytest.fixture
def draft(north: Tenant) -> Document:
    """Alder's, with a twin of its first reward that nobody has settled."""
    with tenancy.access_context(north.system):
        make_twin(north)
        return close_period(north.system, month=FIRST_DAY, now=NOW)[0]


def page_of(document: Document) -> str:
    return f"/staff/documents/{document.code}/"


def seen_as(page: Any) -> str:
    found: list[str] = re.findall(r'name="seen_as" value="([^"]+)"', page.content.decode())
    return found[0]


def test_finance_lets_it_pass_and_everybody_reads_what_is_left_out(north: Tenant, draft: Document) -> None:
    browser, who = north.finance.browser(), north.finance
    page = browser.get(page_of(draft))
    assert HELD in text(page)
    assert "Issue…" not in text(page)
    assert HELD in text(browser.get(ISSUE, {"month": "2026-10"}))

    let_pass = f"{page_of(draft)}let-pass/"
    told = browser.post(let_pass, who.form(seen_as=seen_as(page), note=""), follow=True)
    assert "Say in a note why" in text(told)
    told = browser.post(let_pass, who.form(seen_as=seen_as(page), note="The pool knows."), follow=True)
    assert "Let pass: the document says what it leaves out." in text(told)
    assert "leaves out, as let pass: 1" in text(browser.get(ISSUE, {"month": "2026-10"}))

    browser.post(ISSUE, who.form(document=f"{draft.code}:{draft.balance_sat}"))
    (issued,) = rows(north, Document, status="issued")
    assert "Issued without knowing 1 1 October 2026: a record" in text(browser.get(page_of(issued)))
    customer: Any = north.clients[0].owner.browser()
    face = text(customer.get(f"/statements/{issued.code}/"))
    assert "Issued without knowing: 1 October 2026: a record of the pool was not taken in" in face


def test_support_sees_it_and_may_not_let_it_pass(north: Tenant, draft: Document) -> None:
    page = north.support.browser().get(page_of(draft))
    assert (HELD in text(page), "Let it pass" in text(page)) == (True, False)
    answer = north.support.browser().post(f"{page_of(draft)}let-pass/", north.support.form(seen_as="", note="No."))
    assert answer.status_code == 403


def test_the_api_says_the_same_as_the_pages(world: World, draft: Document) -> None:
    caller, path = Caller(world.north.api()), f"documents/{draft.code}"
    shown: Any = caller.get(path).json()
    assert (shown["held"]["code"], shown["held"]["reason"]) == ("hold.incomplete", HELD)
    assert [row["kind"] for row in shown["leaves_out"]] == ["quarantined"]
    (preview, _) = caller.post("documents/preview", {"period": "2026-10"}).json()["data"]
    assert preview["held"]["code"] == "hold.incomplete"
    said = {"seen_as": shown["leaves_out_seen_as"], "note": "The pool knows."}
    other = caller.post(f"{path}/let-pass", said | {"seen_as": "0"})
    assert (other.status_code, other.json()["type"]) == (409, "/problems/omission.changed_meanwhile")
    told = caller.post(f"{path}/let-pass", said).json()
    assert (told["held"], told["leaves_out_seen_as"], len(told["leaves_out"])) == (None, None, 1)
    issued = caller.post(f"{path}/issue", {"total_sat": draft.total_sat}).json()
    assert (issued["status"], issued["leaves_out"]) == ("issued", shown["leaves_out"])


def test_what_was_billed_and_is_missing_is_held_and_told_at_every_door(world: World, draft: Document) -> None:
    """Seen once: a draft with `held: null` and no alert, though a billed reward had vanished."""
    north, caller = world.north, Caller(world.north.api())
    alder = north.clients[0]
    shown = caller.get(f"documents/{draft.code}").json()
    caller.post(f"documents/{draft.code}/let-pass", {"seen_as": shown["leaves_out_seen_as"], "note": "Known."})
    caller.post(f"documents/{draft.code}/issue", {"total_sat": draft.total_sat})
    with tenancy.access_context(north.system):
        Reward.objects.filter(pk=alder.rewards[0].pk).update(missing_since=NOW)
        make_reward(alder.account, FIRST_DAY.replace(month=11, day=2))
        alder.account.rewards_read_at = NOW.replace(month=12)
        alder.account.save()
        close_period(north.system, month=FIRST_DAY.replace(month=11), now=NOW.replace(month=12))
    (november,) = [row for row in caller.data("documents", status="draft") if row["period"] == "2026-11"]
    assert (november["held"]["code"], [row["kind"] for row in november["leaves_out"]]) == (
        "hold.incomplete",
        ["billed_missing", "no_reward"],  # of 1 November the pool lists none
    )
    overview = text(north.owner.browser().get("/staff/"))
    assert "Alder & Finch: rewards that were billed are missing at the pool, pending again or unknown" in overview


def test_a_small_month_is_carried_and_the_customer_reads_so(world: World) -> None:
    north, alder = world.north, world.north.clients[0]
    with tenancy.access_context(north.system):
        contracts.new_version(
            north.system, alder.contract, valid_from=FIRST_DAY, settle_in="btc",
            components=[{"kind": "revenue_share", "share_ppm": 150_000, "basis": "net"}], minimum_sat=1_000_000,
            now=NOW,
        )  # fmt: skip
        (draft, *_) = close_period(north.system, month=FIRST_DAY, now=NOW)
    browser, caller = north.finance.browser(), Caller(north.api())
    assert caller.get(f"documents/{draft.code}").json()["below_minimum_sat"] == 1_000_000
    assert "Below the smallest amount to issue, 0.01000000 BTC" in text(browser.get(page_of(draft)))
    confirm = browser.get(ISSUE, {"document": draft.code})
    assert "Carry 1 document to the next month" in text(confirm)
    assert "Issue it all the same, the customer leaves" in text(confirm)
    answer = browser.post(ISSUE, north.finance.form(document=f"{draft.code}:{draft.balance_sat}"), follow=True)
    assert "1 document carried to the next month." in text(answer)
    assert caller.get(f"documents/{draft.code}").json()["status"] == "carried"
    statements = text(alder.owner.browser().get("/statements/"))
    assert "October 2026: 0.00248625 BTC" in statements
    assert "carried forward, below the smallest amount to issue" in statements
