"""What the provider shows of itself: entered by an owner, seen by its customers, frozen on what is issued."""

from __future__ import annotations

import io
import re
from base64 import b64encode
from typing import Any

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pypdf import PdfReader

from billing.issue import issue_all
from billing.pdf.content import content_of
from billing.pdf.typesetting import typeset
from billing.settlement import close_period
from customers import tenancy
from customers.brand import brand_of
from customers.models import AuditEntry, ProviderProfile
from tests.pictures import picture
from tests.portal.api.conftest import Caller
from tests.portal.staff.reading import rows, text
from tests.world import FIRST_DAY, NOW, Tenant, World

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


# --- Colour and logo

BRAND = "/staff/settings/company/brand/"


def set_brand(tenant: Tenant, **fields: Any) -> Any:
    fields = {"brand_colour": "", **fields}
    return tenant.owner.browser().post(BRAND, tenant.owner.form(**fields), follow=True)


def logo_file(file: bytes | None = None) -> SimpleUploadedFile:
    return SimpleUploadedFile("../../logo.svg", file if file is not None else picture(), "image/svg+xml")


def test_colour_and_logo_are_on_the_pages_of_staff_and_customers_and_of_no_other_provider(world: World) -> None:
    north = world.north

    answer = set_brand(north, brand_colour="#D9541E", logo=logo_file())

    assert "#d9541e as pages move it: in the light theme 7.1 : 1 for text on buttons" in text(answer)
    logo = re.search(r'src="(/brand/[^"]+\.png)"', answer.content.decode())
    assert logo is not None
    for browser, page in ((north.auditor.browser(), "/staff/"), (north.clients[0].viewer.browser(), "/overview/")):
        html = browser.get(page).content.decode()
        assert 'href="/brand/d9541e.css"' in html
        assert logo[1] in html
    assert "/brand/" not in world.south.owner.browser().get("/staff/").content.decode()
    file = Client().get(logo[1])
    assert (file["Content-Type"], file.content[:4]) == ("image/png", b"\x89PNG")
    assert file["X-Content-Type-Options"] == "nosniff"
    assert Client().get(logo[1].replace(north.provider.code, world.south.provider.code)).status_code == 404


def test_a_refused_colour_or_logo_changes_neither(north: Tenant) -> None:
    set_brand(north, brand_colour="#0b5fae", logo=logo_file())

    for fields in ({"brand_colour": "#00ff00"}, {"brand_colour": "#d9541e", "logo": logo_file(b"<svg/>")}):
        assert "alert is-bad" in set_brand(north, **fields).content.decode()

    kept = profile(north)
    assert kept.brand_colour == "#0b5fae"
    assert kept.logo_id is not None


def test_the_logo_is_taken_away(north: Tenant) -> None:
    set_brand(north, logo=logo_file())

    set_brand(north, no_logo="on")

    assert profile(north).logo_id is None


def test_an_invitation_has_the_brand_and_says_where_help_is(
    north: Tenant, django_capture_on_commit_callbacks: Any
) -> None:
    north.owner.browser().post(CHANGE, north.owner.form(**COMPANY))
    set_brand(north, brand_colour="#0b5fae", logo=logo_file())

    with django_capture_on_commit_callbacks(execute=True):
        north.owner.browser().post("/staff/team/invite/", north.owner.form(email="new@x.example", role="finance"))

    body = str(mail.outbox[0].body)
    assert body.rstrip().endswith("Northmere Hosting\nhelp@north.example\n+00 555 0100\nhttps://north.example/help")
    link = re.search(r"/invite/\S+", body)
    assert link is not None
    page = Client().get(link[0]).content.decode()
    assert 'href="/brand/0b5fae.css"' in page
    assert f"/brand/{north.provider.code}/" in page


def test_a_document_keeps_the_face_it_was_issued_with(north: Tenant) -> None:
    north.owner.browser().post(CHANGE, north.owner.form(**COMPANY))
    set_brand(north, brand_colour="#d9541e", logo=logo_file())
    with tenancy.access_context(north.system):
        (document, *_) = issue_all(
            north.system, close_period(north.system, month=FIRST_DAY, now=NOW), now=NOW
        ).documents

    north.owner.browser().post(CHANGE, north.owner.form(**COMPANY | {"legal_name": "Other", "address": "Elsewhere"}))
    set_brand(north, brand_colour="", no_logo="on")

    with tenancy.access_context(north.system):
        content = content_of(document)
        pdf = PdfReader(io.BytesIO(typeset(content)))
    assert content["from"] == [
        "Northmere Hosting Ltd",
        "4 Quay Works",
        "Bergvik",
        "Tax no. NM 884 120 7",
        "help@north.example",
        "+00 555 0100",
        "north.example/help",
    ]
    assert content["ink"] == brand_of("#d9541e").ink
    assert [(image.image.size) for image in pdf.pages[0].images if image.image] == [(64, 32)]


# --- The same by the API


def test_the_api_reads_and_changes_the_provider_with_the_same_refusals(world: World) -> None:
    api = Caller(world.north.api())

    changed = api.patch("provider", {**COMPANY, "tax_id": None, "brand_colour": "#0b5fae"}).json()

    expected = {
        **COMPANY,
        "id": world.north.provider.code,
        "name": "Northmere Hosting",
        "address": "4 Quay Works\nBergvik",
        "tax_id": None,
        "brand_colour": "#0b5fae",
        "logo": None,
    }
    assert changed == expected
    assert api.get("provider").json() == expected
    for field, value, code in (
        ("brand_colour", "#00ff00", "brand.not_seen"),
        ("support_url", "javascript:alert(1)", "profile.url_invalid"),
        ("legal_name", None, "request.invalid"),
    ):
        refused = api.patch("provider", {field: value})
        assert (refused.status_code, refused.json()["type"]) == (400, f"/problems/{code}")
    assert Caller(world.south.api()).get("provider").json()["support_phone"] is None


def test_the_api_sets_a_logo_larger_than_other_bodies_may_be(north: Tenant) -> None:
    api, noise = Caller(north.api()), picture(300, 200, kind="PNG", compress_level=0)

    answer = api.post("provider/logo", {"picture": b64encode(noise).decode()})

    assert len(noise) > 64 * 1024
    assert Client().get(answer.json()["logo"].removeprefix("http://testserver")).status_code == 200
    assert api.post("provider/logo", {"picture": b64encode(b"<svg/>").decode()}).json()["type"] == (
        "/problems/logo.no_picture"
    )
    assert api.post("provider/logo", {"picture": "no base64!"}).status_code == 400
    assert api.post("provider/logo", {"picture": None}).json()["logo"] is None
