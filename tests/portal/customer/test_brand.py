from __future__ import annotations

import pytest
from django.test import Client

from customers import tenancy
from customers.models import ProviderProfile
from tests.world import Tenant, World


def test_a_provider_with_a_colour_has_its_stylesheet_after_the_common_one(world: World) -> None:
    with tenancy.access_context(world.north.system):
        ProviderProfile.objects.update(brand_colour="#d9541e")

    html = world.north.clients[0].owner.browser().get("/overview/").content.decode()

    assert html.index("variables.css") < html.index('href="/brand/d9541e.css"')
    assert "/brand/" not in world.south.clients[0].owner.browser().get("/overview/").content.decode()


def test_the_stylesheet_sets_the_colour_and_may_be_kept(north: Tenant) -> None:
    response = Client().get("/brand/d9541e.css")

    assert response.content == b":root { --brand: #d9541e; }\n"
    assert response["Content-Type"] == "text/css; charset=utf-8"
    assert response["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("colour", ["d9541", "d9541eff", "zzzzzz", "D9541E"])
def test_what_is_no_colour_is_no_page(north: Tenant, colour: str) -> None:
    assert Client().get(f"/brand/{colour}.css").status_code == 404
