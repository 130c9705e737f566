"""What the provider shows of itself: entered by an owner, seen by its customers, frozen on what is issued."""

from __future__ import annotations

import pytest

from customers.models import AuditEntry, ProviderProfile
from tests.portal.staff.reading import rows, text
from tests.world import Tenant, World

pytestmark = pytest.mark.django_db

PAGE, CHANGE = "/staff/settings/company/", "/staff/settings/company/change/"
COMPANY = {
    "legal_name": "Northmere Hosting Ltd",
    "tax_id": "NM 884 120 7",
    "address": "4 Quay Works\r\nBergvik",
    "support_email": "help@north.example",
    "support_phone": "+00 555 0100",
    "support_url": "https://north.example/help",
}


def profile(tenant: Tenant) -> ProviderProfile:
    (found,) = rows(tenant, ProviderProfile)
    assert isinstance(found, ProviderProfile)
    return found


def test_an_owner_enters_the_company_and_the_audit_says_what_changed(world: World) -> None:
    north = world.north

    answer = north.owner.browser().post(CHANGE, north.owner.form(**COMPANY), follow=True)

    assert "Saved. Documents say it from the next one on." in text(answer)
    kept = profile(north)
    assert {name: getattr(kept, name) for name in COMPANY} == COMPANY | {"address": "4 Quay Works\nBergvik"}
    assert profile(world.south).address == ""
    (entry,) = rows(north, AuditEntry, action="provider.profile_changed")
    assert entry.details == {"changed": "address legal_name support_email support_phone support_url tax_id"}


def test_saving_what_is_there_changes_nothing(north: Tenant) -> None:
    for _ in range(2):
        north.owner.browser().post(CHANGE, north.owner.form(**COMPANY))

    assert len(rows(north, AuditEntry, action="provider.profile_changed")) == 1


@pytest.mark.parametrize("url", ["javascript:alert(1)", "http://north.example", "https://", "north.example"])
def test_a_support_page_that_is_no_safe_link_is_refused(north: Tenant, url: str) -> None:
    answer = north.owner.browser().post(CHANGE, north.owner.form(**COMPANY | {"support_url": url}))

    assert "beginning with https://." in text(answer)
    assert "4 Quay Works" in text(answer)  # what was typed is still there
    assert profile(north).support_url == ""


def test_others_read_the_company_and_get_no_form(north: Tenant) -> None:
    north.owner.browser().post(CHANGE, north.owner.form(**COMPANY))

    page = north.auditor.browser().get(PAGE)

    assert "4 Quay Works Bergvik" in text(page)
    assert "Save company" not in text(page)
