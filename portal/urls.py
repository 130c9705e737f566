"""Every address of the portal. Its answer to each kind of person is in tests/portal/test_access_matrix.py."""

from django.urls import include, path

from portal.views import entry

urlpatterns = [
    path("", entry.home, name="home"),
    path("choose/", entry.choose, name="choose"),
    path("invite/<str:secret>/", entry.invitation, name="invitation"),
    # An address is proved by the invitation sent to it; allauth's page would let a person put in any other.
    path("account/email/", entry.not_here),
    path("account/", include("allauth.urls")),
    path("api/v1/", include("portal.api.urls")),
    path("staff/", include("portal.views.staff.urls")),
    path("", include("portal.views.customer.urls")),
]
