"""The provider's own people: who is on the staff with which role, and who is invited."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from customers import members
from customers.errors import Refused
from customers.models import ROLES, Invitation, MemberKind, Membership, Role
from portal import second_factor
from portal.access import AccessRequest, staff_page
from portal.forms.staff import InviteForm, role_choices
from portal.invitations import send_invitation
from portal.views.lookup import the
from portal.views.staff.customers import open_invitations
from portal.views.staff.responses import accepted, do


@staff_page("read")
@require_GET
def team(request: AccessRequest) -> HttpResponse:
    return _team_page(request, InviteForm(kind=MemberKind.STAFF))


def _team_page(request: AccessRequest, form: InviteForm) -> HttpResponse:
    staff = Membership.objects.visible_to(request.access).filter(kind=MemberKind.STAFF).select_related("user")
    active = list(staff.filter(is_active=True).order_by("user__name", "pk"))
    context = {
        "form": form,
        "people": active,
        "former": list(staff.filter(is_active=False).order_by("user__name", "pk")),
        "owners": sum(member.role == Role.OWNER for member in active),
        "invitations": open_invitations(request.access, kind=MemberKind.STAFF, now=timezone.now()),
        "roles": [(value, words.partition(":")[0]) for value, words in role_choices(MemberKind.STAFF)],
    }
    return render(request, "staff/team.html", context)


@staff_page("team")
@require_POST
@second_factor.required
def team_invite(request: AccessRequest) -> HttpResponse:
    form = InviteForm(request.POST, kind=MemberKind.STAFF)

    def invite() -> None:
        given = form.cleaned_data
        invited = members.invite_member(
            request.access, email=given["email"], kind=MemberKind.STAFF, role=Role(given["role"]), now=timezone.now()
        )
        send_invitation(invited)

    if accepted(form, invite):
        messages.success(
            request, f"The invitation to {form.cleaned_data['email']} is on its way. The link works for 7 days."
        )
        return redirect("staff:team")
    return _team_page(request, form)


@staff_page("team")
@require_POST
@second_factor.required
def team_invitation_revoke(request: AccessRequest, code: str) -> HttpResponse:
    sent = the(Invitation.objects.visible_to(request.access), code, kind=MemberKind.STAFF)

    def revoke() -> str:
        members.revoke_invitation(request.access, sent, now=timezone.now())
        return f"The invitation to {sent.email} is revoked. Its link does not work any more."

    return do(request, revoke, "staff:team")


@staff_page("team")
@require_POST
@second_factor.required
def team_role(request: AccessRequest, code: str) -> HttpResponse:
    member = _member(request, code)
    role = request.POST.get("role", "")

    def change() -> str:
        if role not in ROLES[MemberKind.STAFF]:
            raise Refused("Choose a role: owner, finance, support or auditor.", code="member.role_unknown")
        members.change_role(request.access, member, Role(role), now=timezone.now())
        return f"{member.user.name or member.user.email} is {role} now."

    return do(request, change, "staff:team")


@staff_page("team")
@require_POST
@second_factor.required
def team_end(request: AccessRequest, code: str) -> HttpResponse:
    member = _member(request, code)

    def end() -> str:
        members.end_membership(request.access, member, now=timezone.now())
        return f"{member.user.name or member.user.email} is not on the staff any more."

    return do(request, end, "staff:team")


def _member(request: AccessRequest, code: str) -> Membership:
    staff = Membership.objects.visible_to(request.access).filter(kind=MemberKind.STAFF).select_related("user")
    return the(staff, code)
