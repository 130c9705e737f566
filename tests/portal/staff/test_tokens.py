"""API tokens on pages: made with a last day and words for what they may do, shown once, revoked, told of in time."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from customers import tenancy, tokens
from customers.models import ApiToken, AuditEntry
from portal import scopes
from portal.api.auth import SCOPES
from tests.portal.staff.reading import heading, rows, text
from tests.world import NOW, Tenant, World

pytestmark = pytest.mark.django_db
PAGE, NEW = "/staff/settings/tokens/", "/staff/settings/tokens/new/"
TODAY = NOW.date()


def make(tenant: Tenant, name: str, ends_on: date | None) -> ApiToken:
    with tenancy.access_context(tenant.system):
        return tokens.make_token(tenant.system, name=name, scopes=["rewards:read"], ends_on=ends_on, now=NOW).token


def send(tenant: Tenant, **fields: Any) -> Any:
    given: dict[str, Any] = {
        "name": "ERP 2",
        "how": "chosen",
        "scopes_chosen": ["rewards:read"],
        "ends_on": "2027-01-31",
    }
    return tenant.owner.browser().post(NEW, tenant.owner.form(**(given | fields)))


def test_a_new_one_is_shown_once(north: Tenant) -> None:
    answer = send(north, scopes_chosen=["rewards:read", "money:write"])

    assert (heading(answer), answer["Cache-Control"]) == ("ERP 2 is made", "no-store")
    (secret,) = set(re.findall(r"hpt_[\w-]{43}", answer.content.decode()))
    (token,) = rows(north, ApiToken, name="ERP 2")
    assert bytes(token.digest) == tenancy.digest(secret)
    assert (token.scopes, token.ends_on, token.made_by) == (
        ["money:write", "rewards:read"], date(2027, 1, 31), "owner@north.example",
    )  # fmt: skip
    listed = north.auditor.browser().get(PAGE)
    assert secret not in listed.content.decode()
    assert "may issue documents, approve rewards, accept payout destinations, read rewards" in text(listed)
    assert "ends 31 Jan 2027 never used" in text(listed)
    assert len(rows(north, AuditEntry, action="token.created", subject=token.code)) == 1


def test_a_form_that_is_sent_again_makes_no_second_one(north: Tenant) -> None:
    send(north)

    assert "There is a token named ERP 2 already." in text(send(north))
    assert len(rows(north, ApiToken, name="ERP 2")) == 1


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"scopes_chosen": []}, "Choose at least one thing that the token may do."),
        ({"scopes_chosen": ["root"]}, "Select a valid choice."),
        ({"ends_on": ""}, "Choose its last day, or say that it never ends."),
        ({"ends_on": "2028-11-05"}, "A token ends within two years from today, or never."),
        ({"ends_on": "31/01/2027"}, "Write the day as 2027-10-01."),
        ({"name": ""}, "This field is required."),
    ],
)
def test_a_bad_one_is_not_made_and_what_was_chosen_stays(north: Tenant, fields: dict[str, Any], says: str) -> None:
    answer = send(north, **fields)

    assert says in text(answer)
    assert ('value="rewards:read" checked' in answer.content.decode()) == ("scopes_chosen" not in fields)
    assert rows(north, ApiToken, name="ERP 2") == []


@pytest.mark.parametrize(("how", "scopes_kept"), [("*", ["*"]), ("*:read", ["*:read"])])
def test_everything_is_chosen_by_itself_and_never_too(north: Tenant, how: str, scopes_kept: list[str]) -> None:
    send(north, how=how, never_ends="on")

    (token,) = rows(north, ApiToken, name="ERP 2")
    assert (token.scopes, token.ends_on) == (scopes_kept, None)


def test_revoking_ends_it_and_anothers_is_not_there(world: World) -> None:
    north, owner = world.north, world.north.owner
    (token,), (theirs,) = rows(north, ApiToken), rows(world.south, ApiToken)

    answer = owner.browser().post(f"{PAGE}{token.code}/revoke/", owner.form(), follow=True)

    assert "The token erp is revoked" in text(answer)
    assert north.api().get("/api/v1/customers").status_code == 401
    assert owner.browser().post(f"{PAGE}{theirs.code}/revoke/", owner.form()).status_code == 404
    assert world.south.api().get("/api/v1/customers").status_code == 200


@pytest.mark.parametrize(
    ("days", "says"),
    [
        (15, None),
        (14, "The API token till ends on 18 November 2026"),
        (0, "The API token till ends on 4 November 2026"),
        (-1, "The API token till ended on 3 November 2026"),
        (-15, None),
    ],
)
def test_its_end_is_told_two_weeks_before_and_after(north: Tenant, days: int, says: str | None) -> None:
    make(north, "till", None)
    make(north, "revoked", None)
    with tenancy.access_context(north.system):
        ApiToken.objects.exclude(name="erp").update(ends_on=TODAY + timedelta(days=days))
        ApiToken.objects.filter(name="revoked").update(revoked_at=NOW)

    words = text(north.owner.browser().get("/staff/"))

    assert re.findall(r"The API token till \w+ on \d+ \w+ \d{4}", words) == ([says] if says else [])
    assert "token revoked" not in words


def test_every_scope_of_the_page_is_one_of_the_api_and_has_words() -> None:
    offered = [scope for choice in scopes.choices() for scope in (choice.read, choice.write) if scope]
    assert set(offered) <= SCOPES
    assert {"hashrate:read", "customers:write", "tokens:write"} <= set(offered)
    assert {"hashrate:write", "rewards:write"} & set(offered) == set()
    assert [scopes.in_words(scope) for scope in ("*", "watcher-links:write", "credentials:read")] == [
        "do everything, money and new tokens too", "change watcher links", "read pool keys",
    ]  # fmt: skip


def test_the_operators_command_takes_an_end(north: Tenant) -> None:
    def command(name: str, *options: str) -> date | None:
        call_command("provider", "token", "--slug=north", "--scopes=*:read", f"--name={name}", *options)
        (token,) = rows(north, ApiToken, name=name)
        assert token.made_by == "operator"
        ends_on: date | None = token.ends_on
        return ends_on

    assert command("a") == TODAY + timedelta(days=365)
    assert command("b", "--days=30") == TODAY + timedelta(days=30)
    assert command("c", "--never-ends") is None
    with pytest.raises(CommandError, match="within two years"):
        command("d", "--days=732")
