"""The addresses of the API. Each answers with and without a slash at its end; the documentation names those without."""

from typing import Any

from django.urls import path, re_path
from rest_framework.routers import SimpleRouter

from portal.api import (
    accounts,
    alerts,
    contracts,
    credentials,
    customers,
    documents,
    fleet,
    intents,
    links,
    payments,
    people,
    provider,
    rewards,
    runs,
    schema,
    tokens,
)
from portal.api.base import Nowhere, Resource

app_name = "api"

RESOURCES: tuple[type[Resource[Any]], ...] = (
    customers.Customers,
    people.Members,
    people.Invitations,
    intents.Intents,
    accounts.MiningAccounts,
    rewards.Rewards,
    accounts.Hashrate,
    fleet.Workers,
    fleet.Exclusions,
    rewards.QuarantinedRecords,
    runs.SyncRuns,
    credentials.Credentials,
    links.WatcherLinks,
    alerts.Alerts,
    alerts.AlertRules,
    contracts.Contracts,
    documents.Documents,
    payments.Payments,
    payments.LedgerEntries,
    tokens.Tokens,
)
router = SimpleRouter(trailing_slash=False, use_regex_path=False)
for resource in RESOURCES:
    router.register(resource.resource, resource, basename=resource.resource)
# There is one of each.
SINGLE = (
    path("rewards/absent", rewards.AbsentRewards.as_view({"get": "absent"}), name="rewards-absent"),
    path("hashrate/total", accounts.HashrateTotal.as_view({"get": "total"}), name="hashrate-total"),
    path("provider", provider.OwnProvider.as_view({"get": "show", "patch": "change"}), name="provider"),
    path("uptime", fleet.UptimeOf.as_view({"get": "show"}), name="uptime"),
    path(
        "provider/payment-terms",
        provider.OwnPaymentTerms.as_view({"get": "show_payment_terms", "patch": "change_payment_terms"}),
        name="provider-payment-terms",
    ),
    path("provider/logo", provider.OwnLogo.as_view({"post": "change_logo"}), name="provider-logo"),
)


def _with_slash(pattern: Any) -> Any:
    """A redirect to the other form would lose the body of a POST."""
    view = pattern.callback
    return path(f"{pattern.pattern}/", view.cls.as_view(view.actions, **view.initkwargs, schema=None))


urlpatterns = [
    *router.urls,
    *SINGLE,
    *map(_with_slash, (*router.urls, *SINGLE)),
    path("schema/", schema.SchemaView.as_view(), name="schema"),
    path("docs/", schema.docs, name="docs"),
    path("schema", schema.SchemaView.as_view()),
    path("docs", schema.docs),
    re_path("", Nowhere.as_view(schema=None)),
]
