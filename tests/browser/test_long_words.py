"""Names and addresses are other people's: one of sixty letters without a break widens no page on a phone."""

from __future__ import annotations

import pytest
from django.utils import timezone

from customers import tenancy
from customers.models import Customer, User
from tests.browser.conftest import DESK, PHONE, OpenPage, sideways
from tests.browser.test_customer_pages import paths
from tests.browser.test_staff_pages import pages, trouble
from tests.portal.customer.scenes import statement_of
from tests.portal.watcher_links import WEEK, make_link
from tests.world import Tenant, World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WORD = "W" * 60


def rename_everything(tenant: Tenant) -> None:
    with tenancy.access_context(tenant.system):
        Customer.objects.update(name=WORD, email=f"{WORD}@{WORD}.example")
        Customer.objects.filter(pk=tenant.clients[0].customer.pk).update(external_ref=WORD)
    User.objects.filter(pk=tenant.clients[0].owner.user.pk).update(name=WORD)


@pytest.mark.parametrize("size", [PHONE, DESK])
def test_one_word_of_sixty_letters_widens_no_page_of_staff(
    world: World, open_page: OpenPage, size: tuple[int, int]
) -> None:
    trouble(world.north)
    rename_everything(world.north)
    page = open_page(world.north.owner, size=size)
    for path in pages(world.north):
        page.goto(path)
        assert (path, sideways(page)) == (path, [])


def test_one_word_of_sixty_letters_widens_no_page_of_a_customer(world: World, open_page: OpenPage) -> None:
    north = world.north
    statement_of(north)
    url = f"https://{WORD}.example/{WORD * 10}"
    make_link(north, north.clients[0].account, url=url, renews=True, live_until=timezone.now() + WEEK)
    rename_everything(north)
    page = open_page(north.clients[0].owner, size=PHONE)
    for path in paths(north):
        page.goto(path)
        assert (path, sideways(page)) == (path, [])
