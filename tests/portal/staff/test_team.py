"""The team: invited by link, with one role each, and never without an owner."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail
from django.urls import reverse

from customers import members, onboarding, tenancy
from customers.models import AuditEntry, Invitation, MemberKind, Membership, Role
from tests.portal.staff.reading import heading, rows, text
from tests.world import NOW, Person, Tenant, World, person

pytestmark = pytest.mark.django_db

PAGE, INVITE = "/staff/team/", "/staff/team/invite/"


def act(name: str, member: Person) -> str:
    return reverse(f"staff:team_{name}", args=[member.membership.code])


def role(tenant: Tenant, member: Person) -> str:
    (row,) = rows(tenant, Membership, pk=member.membership.pk)
    return str(row.role) if row.is_active else "out"


def test_the_page_lists_people_roles_and_invitations(north: Tenant) -> None:
    page = north.auditor.browser().get(PAGE)
    assert heading(page) == "4 people on the team"
    assert "owner@north.example" in text(page)
    assert "client-of-north" not in text(page)
    assert "Invite somebody" not in text(page)


def test_inviting_mails_a_link_and_shows_until_when_it_works(
    north: Tenant, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        answer = north.owner.browser().post(
            INVITE, north.owner.form(email="new@north.example", role="finance"), follow=True
        )
    assert "new@north.example as finance, the link works until 11 Nov 2026, 14:32 UTC" in text(answer)
    (sent,) = rows(north, Invitation)
    assert (sent.kind, sent.role, sent.customer_id, sent.invited_by_id) == (
        "staff",
        "finance",
        None,
        north.owner.user.pk,
    )
    assert [message.to for message in mail.outbox] == [["new@north.example"]]
    link = re.search(r"/invite/\S+", str(mail.outbox[0].body))
    assert link is not None
    assert link[0] not in answer.content.decode()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"email": "nobody"}, "Enter a valid email address."),
        ({"role": "viewer"}, "Select a valid choice."),
        ({"email": "OWNER@north.example"}, "owner@north.example is a member already."),
    ],
)
def test_a_bad_invitation_is_not_sent(north: Tenant, fields: dict[str, str], says: str) -> None:
    given = north.owner.form(**({"email": "new@north.example", "role": "auditor"} | fields))
    assert says in text(north.owner.browser().post(INVITE, given))
    assert rows(north, Invitation) == []
    assert mail.outbox == []


def test_revoking_ends_the_link(world: World) -> None:
    invitations = {}
    for tenant in (world.north, world.south):
        with tenancy.access_context(tenant.system):
            invitations[tenant.provider.slug] = onboarding.invite(
                tenant.system, email="g@g.example", kind=MemberKind.STAFF, role=Role.OWNER, now=NOW
            ).invitation
    owner = world.north.owner
    address = reverse("staff:team_invitation_revoke", args=[invitations["north"].code])
    for _ in range(2):
        answer = owner.browser().post(address, owner.form(), follow=True)
        assert "The invitation to g@g.example is revoked." in text(answer)
    assert [row.revoked_at is None for row in rows(world.north, Invitation)] == [False]
    theirs = reverse("staff:team_invitation_revoke", args=[invitations["south"].code])
    assert owner.browser().post(theirs, owner.form()).status_code == 404
    assert [row.revoked_at is None for row in rows(world.south, Invitation)] == [True]


def test_an_accepted_invitation_cannot_be_revoked(north: Tenant) -> None:
    with tenancy.access_context(north.system):
        invited = onboarding.invite(
            north.system, email="g@g.example", kind=MemberKind.STAFF, role=Role.SUPPORT, now=NOW
        ).invitation
        Invitation.objects.filter(pk=invited.pk).update(accepted_at=NOW)
    address = reverse("staff:team_invitation_revoke", args=[invited.code])
    answer = north.owner.browser().post(address, north.owner.form(), follow=True)
    assert "has accepted the invitation already." in text(answer)


def test_an_owner_changes_a_role_and_ends_a_membership(north: Tenant) -> None:
    browser, guest = north.owner.browser(), north.support.browser()
    browser.post(act("role", north.support), north.owner.form(role="finance"))
    assert role(north, north.support) == "finance"
    assert guest.get("/staff/contracts/new/").status_code == 200
    browser.post(act("end", north.support), north.owner.form())
    assert role(north, north.support) == "out"
    assert guest.get(PAGE)["Location"] == "/choose/"
    said = sorted(e.action for e in rows(north, AuditEntry) if e.action.startswith("member."))
    assert said == ["member.ended", "member.role_changed"]
    assert "No longer here Support support@north.example" in text(browser.get(PAGE))


@pytest.mark.parametrize(("name", "fields"), [("role", {"role": "auditor"}), ("end", {})])
def test_the_last_owner_stays(north: Tenant, name: str, fields: dict[str, str]) -> None:
    answer = north.owner.browser().post(act(name, north.owner), north.owner.form(**fields), follow=True)
    assert "Owner is the only owner left" in text(answer)
    assert role(north, north.owner) == "owner"


def test_with_a_second_owner_the_first_may_go(north: Tenant) -> None:
    with tenancy.access_context(north.system):
        second = person(north.system, "second@north.example", Role.OWNER)
    second.browser().post(act("end", north.owner), second.form())
    assert (role(north, north.owner), role(north, second)) == ("out", "owner")
    second.browser().post(act("end", second), second.form())
    assert role(north, second) == "owner"


def test_an_inactive_owner_does_not_count(north: Tenant) -> None:
    with tenancy.access_context(north.system):
        second = person(north.system, "second@north.example", Role.OWNER)
        members.end_membership(north.system, second.membership, now=NOW)
    north.owner.browser().post(act("end", north.owner), north.owner.form())
    assert role(north, north.owner) == "owner"


@pytest.mark.parametrize("wanted", ["", "viewer", "root", "\x00"])
def test_a_role_that_is_none_changes_nothing(north: Tenant, wanted: str) -> None:
    answer = north.owner.browser().post(act("role", north.support), north.owner.form(role=wanted), follow=True)
    assert "Choose a role" in text(answer)
    assert role(north, north.support) == "support"


def test_others_and_customers_people_are_no_members_of_the_team(world: World) -> None:
    owner = world.north.owner
    for stranger in (world.south.support, world.north.clients[0].viewer):
        for name in ("role", "end"):
            assert owner.browser().post(act(name, stranger), owner.form(role="owner")).status_code == 404
    assert role(world.south, world.south.support) == "support"


def test_nobody_but_an_owner_changes_the_team(north: Tenant) -> None:
    for who in (north.finance, north.support, north.auditor):
        for address in (INVITE, act("role", north.support), act("end", north.support)):
            assert who.browser().post(address, who.form(role="owner", email="x@x.example")).status_code == 403
    assert role(north, north.support) == "support"
