"""The addresses of the API. Each answers with and without a slash at its end; the documentation names those without."""

from django.urls import URLPattern, path, re_path

from portal.api import alerts, billing, customers, links, mining, schema
from portal.api.base import Nowhere, ResourceView

app_name = "api"

RESOURCES: tuple[tuple[str, type[ResourceView], str], ...] = (
    ("customers", customers.CustomerList, "customers"),
    ("customers/<code:id>", customers.CustomerDetail, "customer"),
    ("mining-accounts", mining.MiningAccountList, "mining-accounts"),
    ("mining-accounts/<code:id>", mining.MiningAccountDetail, "mining-account"),
    ("rewards", mining.RewardList, "rewards"),
    ("rewards/<code:id>", mining.RewardDetail, "reward"),
    ("sync-runs", mining.SyncRunList, "sync-runs"),
    ("sync-runs/<code:id>", mining.SyncRunDetail, "sync-run"),
    ("credentials", mining.CredentialList, "credentials"),
    ("credentials/<code:id>", mining.CredentialDetail, "credential"),
    ("credentials/<code:id>/verify", mining.CredentialVerification, "credential-verify"),
    ("watcher-links", links.WatcherLinkList, "watcher-links"),
    ("watcher-links/<code:id>", links.WatcherLinkDetail, "watcher-link"),
    ("watcher-links/<code:id>/renew", links.WatcherLinkRenewal, "watcher-link-renew"),
    ("alerts", alerts.AlertList, "alerts"),
    ("contracts", billing.ContractList, "contracts"),
    ("contracts/<code:id>", billing.ContractDetail, "contract"),
    ("contracts/<code:id>/versions", billing.ContractVersions, "contract-versions"),
    ("documents", billing.DocumentList, "documents"),
    ("documents/<code:id>", billing.DocumentDetail, "document"),
    ("documents/<code:id>/lines", billing.DocumentLines, "document-lines"),
    ("documents/<code:id>/pdf", billing.DocumentPdf, "document-pdf"),
    ("documents/<code:id>/evidence", billing.DocumentEvidence, "document-evidence"),
)

# A redirect to the other form would lose the body of a POST.
urlpatterns: list[URLPattern] = [
    *(path(route, view.as_view(), name=name) for route, view, name in RESOURCES),
    *(path(f"{route}/", view.as_view(schema=None)) for route, view, _ in RESOURCES),
    path("schema/", schema.SchemaView.as_view(), name="schema"),
    path("docs/", schema.docs, name="docs"),
    path("schema", schema.SchemaView.as_view()),
    path("docs", schema.docs),
    re_path("", Nowhere.as_view(schema=None)),
]
