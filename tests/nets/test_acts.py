"""Net: what people can do on a page, programs can do through the API. A page that takes a form says with which
operation, or why only a person does it; an operation that is no page's act says what it is for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from portal.api import urls as api_urls

# route of the page → the operation
ACTS = {
    "staff/customers/new/": "POST customers",
    "staff/customers/<str:code>/edit/": "PATCH customers/<code:id>",
    "staff/customers/<str:code>/close/": "POST customers/<code:id>/close",
    "staff/customers/<str:code>/reopen/": "POST customers/<code:id>/reopen",
    "staff/customers/<str:code>/account/": "POST customers/<code:id>/mining-account",
    "staff/customers/<str:code>/invite/": "POST invitations",
    "staff/customers/<str:code>/invitations/<str:invitation>/revoke/": "POST invitations/<code:id>/revoke",
    "staff/customers/<str:code>/people/<str:member>/end/": "POST members/<code:id>/end",
    "staff/customers/<str:code>/payout/accept/": "POST mining-accounts/<code:id>/accept-payout",
    "staff/customers/<str:code>/payout/end-alarm/": "POST mining-accounts/<code:id>/end-payout-alarm",
    "staff/customers/<str:code>/payout/misdirected/": "POST customers/<code:id>/misdirected-rewards",
    "staff/customers/<str:code>/watcher-links/new/": "POST watcher-links",
    "staff/customers/<str:code>/machines/<str:worker>/retire/": "POST workers/<code:id>/retire",
    "staff/customers/<str:code>/machines/<str:worker>/site/": "PATCH workers/<code:id>",
    "staff/customers/<str:code>/site/": "PATCH mining-accounts/<code:id>",
    "staff/exclusions/new/": "POST exclusions",
    "staff/exclusions/<str:code>/end/": "POST exclusions/<code:id>/end",
    "staff/exclusions/<str:code>/change/": "PATCH exclusions/<code:id>",
    "staff/watcher-links/<str:code>/renew/": "POST watcher-links/<code:id>/renew",
    "staff/watcher-links/<str:code>/renewal/": "PATCH watcher-links/<code:id>",
    "staff/intents/<str:code>/decide/": "POST intents/<code:id>/decide",
    "staff/contracts/new/": "POST contracts",
    "staff/contracts/<str:code>/versions/": "POST contracts/<code:id>/versions",
    "staff/documents/close/": "POST documents/close",
    "staff/documents/issue/": "POST documents/issue",
    "staff/documents/<str:code>/let-pass/": "POST documents/<code:id>/let-pass",
    "staff/documents/<str:code>/discard/": "POST documents/<code:id>/discard",
    "staff/documents/<str:code>/files/": "POST documents/<code:id>/retry-files",
    "staff/alerts/<str:code>/acknowledge/": "POST alerts/<code:id>/acknowledge",
    "staff/alerts/<str:code>/assign/": "POST alerts/<code:id>/assign",
    "staff/alerts/<str:code>/note/": "POST alerts/<code:id>/note",
    "staff/alerts/rules/<str:code>/": "PATCH alert-rules/<code:id>",
    "staff/quarantine/<str:code>/": "POST quarantined-records/<code:id>/settle",
    "staff/documents/<str:code>/void/": "POST documents/<code:id>/void",
    "staff/documents/<str:code>/write-off/": "POST documents/<code:id>/write-off",
    "staff/documents/<str:code>/take-up-again/": "POST documents/<code:id>/take-up-again",
    "staff/payments/new/": "POST payments",
    "staff/payments/file/": "POST payments/import",
    "staff/payments/<str:code>/use/": "POST payments/<code:id>/use",
    "staff/payments/<str:code>/take-back/": "POST payments/<code:id>/take-back",
    "staff/settings/payments/change/": "PATCH provider/payment-terms",
    "staff/sync/now/": "POST sync-runs",
    "staff/keys/paste/": "POST credentials",
    "staff/keys/<str:code>/verify/": "POST credentials/<code:id>/verify",
    "staff/keys/logins/<str:code>/rename/": "PATCH credentials/<code:id>",
    "staff/keys/<str:code>/withdraw/": "POST credentials/<code:id>/withdraw",
    "staff/settings/tokens/new/": "POST tokens",
    "staff/settings/tokens/<str:code>/revoke/": "POST tokens/<code:id>/revoke",
    "staff/settings/company/change/": "PATCH provider",
    "staff/settings/company/brand/": "POST provider/logo",
}
ONE_SELF = "it is about the person who sits there"
STAFF = "who is on the staff is decided with a fresh second factor, which a program cannot give"
CUSTOMERS = "what a customer wants to be told of is the customer's; tokens are the provider's"
PAGE_ONLY = {
    "choose/": ONE_SELF,
    "invite/<str:secret>/": ONE_SELF,
    "account/": ONE_SELF,
    "alerts/mails/": ONE_SELF,
    "alerts/rules/<slug:kind>/": CUSTOMERS,
    "staff/alerts/mails/": ONE_SELF,
    "staff/team/invite/": STAFF,
    "staff/team/invitations/<str:code>/revoke/": STAFF,
    "staff/team/<str:code>/role/": STAFF,
    "staff/team/<str:code>/end/": STAFF,
}
# Operations that are no page's act by themselves.
API_ONLY = {
    "POST contracts/<code:id>/versions/preview": "it only tells what agreeing would do",
    "POST exclusions/preview": "the page of a new window shows it first",
    "POST documents/preview": "the page of a month shows it",
    "POST payments/preview": "the page of a new payment shows it before it records",
    "POST payments/import/preview": "the page of a file shows it before it records",
    "POST documents/<code:id>/issue": "the page issues what is chosen, one or many",
}
CHANGING = {"POST", "PUT", "PATCH", "DELETE"}


def page_acts() -> set[str]:
    """Routes that take a form, the API's and the balancers' aside."""
    return {
        route
        for route, entry in _pages(get_resolver())
        if "POST" in _methods_of(entry.callback)
        and not getattr(getattr(entry.callback, "cls", None), "portal_api", False)
        and not getattr(entry.callback, "portal_health", False)
    }


def _pages(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for entry in resolver.url_patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _pages(entry, route)
        else:
            yield route, entry


def _methods_of(view: Callable[..., Any] | None) -> set[str]:
    """As Django's require_http_methods holds them, under whatever decorators; all, where a view names none."""
    if (view_class := getattr(view, "view_class", None)) is not None:
        return {method.upper() for method in view_class.http_method_names if hasattr(view_class, method)}
    while view is not None:
        names, cells = view.__code__.co_freevars, view.__closure__ or ()
        closed = {name: cell.cell_contents for name, cell in zip(names, cells, strict=True)}
        if "request_method_list" in closed:
            return set(closed["request_method_list"])
        view = getattr(view, "__wrapped__", None)
    return CHANGING


def operations() -> set[str]:
    return {
        f"{method.upper()} {entry.pattern}"
        for entry in api_urls.urlpatterns
        if entry.name
        for method in getattr(entry.callback, "actions", {})
        if method.upper() in CHANGING
    }


def test_every_page_that_takes_a_form_says_with_which_operation_programs_do_the_same() -> None:
    told = ACTS.keys() | PAGE_ONLY.keys()
    assert {route for route in page_acts() if not any(_is_below(route, known) for known in told)} == set()
    assert {known for known in told if not any(_is_below(route, known) for route in page_acts())} == set()


def _is_below(route: str, known: str) -> bool:
    return route == known or (known == "account/" and route.startswith(known))


def test_every_operation_is_a_pages_act_or_says_what_it_is_for() -> None:
    assert operations() == set(ACTS.values()) | API_ONLY.keys()
