"""Mail an invitation after the commit: a mail cannot be rolled back."""

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse

from customers.onboarding import Invited
from customers.profile import profile_of
from customers.tenancy import Access, Kind


def send_invitation(invited: Invited, *, customer_name: str = "") -> str:
    """Queue the mail on commit; returns the link, for the operator's screen only (never for a log)."""
    invitation = invited.invitation
    link = settings.PORTAL_URL + reverse("invitation", args=[invited.secret])
    words = {
        "provider_name": invitation.provider.name,
        "customer_name": customer_name,
        "role": invitation.get_role_display().lower(),
        "email": invitation.email,
        "url": link,
        "expires_at": invitation.expires_at,
        "profile": profile_of(Access(Kind.SYSTEM, invitation.provider)),
    }
    # A name may hold a line break; a subject may not.
    subject = " ".join(render_to_string("email/invitation_subject.txt", words).split())
    text = render_to_string("email/invitation.txt", words)
    # robust: when the mail server is away the invitation stands, the error is logged, and staff can invite again.
    transaction.on_commit(lambda: send_mail(subject, text, None, [invitation.email]), robust=True)
    return link
