"""Every address of the portal. Its answer to each kind of person is in tests/portal/test_access_matrix.py."""

from django.urls import include, path

from portal.views import entry, health, kept_forms, security, sessions

urlpatterns = [
    path("healthz", health.live),
    path("readyz", health.ready),
    path("", entry.home, name="home"),
    path("choose/", entry.choose, name="choose"),
    path("kept/<str:name>/", kept_forms.kept_form, name="kept_form"),
    path("invite/<str:secret>/", entry.invitation, name="invitation"),
    # An address is proved by the invitation sent to it; allauth's page would let a person put in any other.
    path("account/email/", entry.not_here),
    # Before allauth's own at the same addresses, which a password alone would open.
    path("account/2fa/totp/activate/", security.set_up),
    path("account/2fa/totp/deactivate/", security.switch_off),
    path("account/2fa/recovery-codes/", security.show_codes),
    path("account/2fa/recovery-codes/download/", security.download_codes),
    path("account/2fa/recovery-codes/generate/", security.make_codes),
    path("account/sessions/", sessions.own_sessions, name="own_sessions"),
    path("account/sessions/end-others/", sessions.sessions_end_others, name="sessions_end_others"),
    path("account/sessions/<slug:name>/end/", sessions.session_end, name="session_end"),
    path("account/", include("allauth.urls")),
    path("api/v1/", include("portal.api.urls")),
    path("staff/", include("portal.views.staff.urls")),
    path("", include("portal.views.customer.urls")),
]
