"""The first page after sign-in, the choice of a membership, and invitations."""

from __future__ import annotations

from typing import cast

from allauth.account.internal.flows.login import record_authentication
from allauth.account.models import EmailAddress
from allauth.account.utils import perform_login
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from customers import tenancy
from customers.models import Invitation, User
from customers.onboarding import InvitationGone, accept_invitation, find_invitation
from customers.profile import profile_of
from customers.tenancy import Access, Kind
from portal.access import access_of, memberships_of, open_page, suspended_providers
from portal.forms.people import NewPersonForm
from portal.look import look_of
from portal.middleware import MEMBERSHIP


@require_GET
@open_page
def home(request: HttpRequest) -> HttpResponse:
    access = getattr(request, "access", None)
    if access is None:
        return redirect("choose")
    return redirect("staff:overview" if access.kind == Kind.STAFF else "customer:overview")


@require_http_methods(["GET", "POST"])
@open_page
def choose(request: HttpRequest) -> HttpResponse:
    """One membership at a time. The choice is checked against the user's own, never trusted."""
    user = cast("User", request.user)
    memberships = memberships_of(user)
    wanted = request.POST.get("membership")
    if any(membership.code == wanted for membership in memberships):
        request.session[MEMBERSHIP] = wanted
        return redirect("home")
    access = getattr(request, "access", None)
    current = access.membership.code if access and access.membership else None
    with tenancy.nobody_context():  # each membership is read in its own provider's context
        for membership in memberships:
            access_of(membership, user)
    words = {"memberships": memberships, "current": current, "suspended": suspended_providers(user)}
    return render(request, "account/choose.html", words)


@open_page
def not_here(_request: HttpRequest) -> HttpResponse:
    raise Http404


@sensitive_post_parameters("password1")
@require_http_methods(["GET", "POST"])
@login_not_required
@open_page
def invitation(request: HttpRequest, secret: str) -> HttpResponse:
    # Outside of any membership: the person who accepts may be acting for another provider at this moment.
    with tenancy.nobody_context():
        opened = find_invitation(secret)
        if opened is None or not opened.is_open(timezone.now()):
            return render(request, "account/invitation_gone.html", status=404)
        user = User.objects.filter(email=opened.email).first()
        if user is not None:
            return _invite_known(request, secret, opened, user)
        return _invite_new(request, secret, opened)


def _invite_known(request: HttpRequest, secret: str, invitation: Invitation, user: User) -> HttpResponse:
    """Whoever holds the link must still be the person: they sign in first, and come back here."""
    if not request.user.is_authenticated:
        return redirect_to_login(request.path)
    if request.user != user:
        return render(request, "account/invitation_gone.html", {"other_account": invitation.email}, status=404)
    if request.method != "POST":
        return _show(request, invitation, None)
    try:
        membership = accept_invitation(secret, user, now=timezone.now())
    except InvitationGone:
        return render(request, "account/invitation_gone.html", status=404)
    request.session[MEMBERSHIP] = membership.code
    return redirect("home")


def _invite_new(request: HttpRequest, secret: str, invitation: Invitation) -> HttpResponse:
    form = NewPersonForm(request.POST or None, email=invitation.email)
    if not form.is_valid():
        return _show(request, invitation, form)
    now = timezone.now()
    given = form.cleaned_data
    try:
        with transaction.atomic():  # another tab may be faster: no account without a membership
            # The link came by mail, so the address is proved; the session then starts as any other sign-in does.
            user = User.objects.create_user(invitation.email, given["name"], given["password1"], now=now)
            EmailAddress.objects.create(user=user, email=invitation.email, verified=True, primary=True)
            membership = accept_invitation(secret, user, now=now)
    except (InvitationGone, IntegrityError):  # the latter: the address has an account by now
        return render(request, "account/invitation_gone.html", status=404)
    # They have just typed the password: without this record allauth would ask for it again before the second factor.
    record_authentication(request, user, "password", reauthenticated=True)
    response: HttpResponse = perform_login(request, user, redirect_url="/")
    request.session[MEMBERSHIP] = membership.code
    return response


def _show(request: HttpRequest, invitation: Invitation, form: NewPersonForm | None) -> HttpResponse:
    with tenancy.provider_context(invitation.provider_id):
        customer_name = invitation.customer.name if invitation.customer else ""
        profile = profile_of(Access(Kind.SYSTEM, invitation.provider))
    words = {
        "provider_name": invitation.provider.name,
        "look": look_of(invitation.provider, profile),
        "role": invitation.get_role_display().lower(),
        "customer_name": customer_name,
        "email": invitation.email,
        "form": form,
        "has_account": form is None,
        "expires_at": invitation.expires_at,
    }
    return render(request, "account/invitation.html", words)
