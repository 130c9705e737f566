"""Who may open which route: one row a route, by its pattern. A route without a row fails the matrix.

A row says who gets a page (status 200, or 302 where the view redirects by itself), with what arguments the route is
filled for the north provider's first customer, and which method is tried. Everybody else gets 404 (another's page does
not exist), 403 (own staff page, lower role) or a way to the sign-in page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from billing.models import Document
from customers import tenancy
from portal.access import STAFF_ACTS
from tests.world import Tenant, draft_document


@dataclass(frozen=True)
class Row:
    audience: str  # open, member, staff:<act>, customer, api, signed_in
    arguments: Callable[[Tenant], dict[str, str]] = lambda _tenant: {}
    method: str = "get"
    answers: tuple[int, ...] = (200,)  # to those who may

    @property
    def staff_roles(self) -> tuple[str, ...]:
        kind, _, act = self.audience.partition(":")
        return tuple(STAFF_ACTS[act]) if kind == "staff" else ()


def customer(tenant: Tenant) -> dict[str, str]:
    return {"code": tenant.clients[0].customer.code}


def credential(tenant: Tenant) -> dict[str, str]:
    return {"code": tenant.credential.code}


def contract(tenant: Tenant) -> dict[str, str]:
    return {"code": tenant.clients[0].contract.code}


def document(tenant: Tenant) -> dict[str, str]:
    client = tenant.clients[0]
    with tenancy.access_context(tenant.system):
        found = Document.objects.filter(customer=client.customer).first() or draft_document(client)
    return {"code": found.code}


def run(tenant: Tenant) -> dict[str, str]:
    return {"code": tenant.run.code}


# pattern → row. Patterns are the resolver's, as `manage.py` and the failing test print them.
ROUTES: dict[str, Row] = {
    "": Row("signed_in", answers=(302,)),
    "choose/": Row("signed_in"),
    "invite/<str:secret>/": Row("open", lambda _: {"secret": "guess"}, answers=(404,)),
}

# allauth's pages are the same for everybody who is signed in, and show nothing of a tenant; the API has its own matrix.
ELSEWHERE = ("account/", "api/v1/")
