"""Who may open which route: one row a route, by its pattern. A route without a row fails the matrix.

A row says who gets a page (status 200, or 302 where the view redirects by itself), with what arguments the route is
filled for the north provider's first customer, and which method is tried. Everybody else gets 404 (another's page does
not exist), 403 (own staff page, lower role) or a way to the sign-in page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from billing.models import Document, Fund, PaidBy
from billing.payments import recording
from billing.payments.recording import Payment
from customers import onboarding, tenancy
from customers.models import ApiToken, Customer, Invitation, MemberKind, Role
from mining.alerts import rules
from mining.models import Alert, AlertRule, Exclusion, PoolIntent, WatcherLink
from portal.access import CUSTOMER_ACTS, STAFF_ACTS
from tests.portal.api.conftest import quarantined_of
from tests.portal.customer.scenes import statement_of
from tests.portal.fleet import a_fleet
from tests.portal.watcher_links import make_link
from tests.world import NOW, Tenant, draft_document


@dataclass(frozen=True)
class Row:
    audience: str  # open, member, staff:<act>, customer[:<act>], signed_in; closed: a page that exists for nobody
    arguments: Callable[[Tenant], dict[str, str]] = lambda _tenant: {}
    method: str = "get"
    answers: tuple[int, ...] = (200,)  # to those who may
    path: str = ""  # where the pattern is an expression
    asks: bool = False  # for a fresh code of the second factor first

    @property
    def staff_roles(self) -> tuple[str, ...]:
        kind, _, act = self.audience.partition(":")
        return tuple(STAFF_ACTS[act]) if kind == "staff" else ()

    @property
    def customer_roles(self) -> tuple[str, ...]:
        kind, _, act = self.audience.partition(":")
        return tuple(CUSTOMER_ACTS[act or "read"]) if kind == "customer" else ()


def customer(tenant: Tenant) -> dict[str, str]:
    return {"code": tenant.clients[0].customer.code}


def credential(tenant: Tenant) -> dict[str, str]:
    return {"code": tenant.credential.code}


def login(tenant: Tenant) -> dict[str, str]:
    return {"code": tenant.login.code}


def contract(tenant: Tenant) -> dict[str, str]:
    return {"code": tenant.clients[0].contract.code}


def alert(tenant: Tenant) -> dict[str, str]:
    client = tenant.clients[0]
    with tenancy.access_context(tenant.system):
        found, _ = Alert.objects.get_or_create(
            provider=tenant.provider, kind="workers_offline", customer=client.customer, mining_account=client.account,
            defaults={"stood_at": NOW, "opened_at": NOW, "value": 3, "base": 4},
        )  # fmt: skip
    return {"code": found.code}


def alert_rule(tenant: Tenant) -> dict[str, str]:
    with tenancy.access_context(tenant.system):
        rules.make_missing(tenant.provider.pk)
        return {"code": AlertRule.objects.get(kind="hashrate_low", customer=None).code}


def document(tenant: Tenant) -> dict[str, str]:
    client = tenant.clients[0]
    with tenancy.access_context(tenant.system):
        found = Document.objects.filter(customer=client.customer).first() or draft_document(client)
    return {"code": found.code}


def intent(tenant: Tenant) -> dict[str, str]:
    client = tenant.clients[0]
    with tenancy.access_context(tenant.system):
        found, _ = PoolIntent.objects.get_or_create(
            provider=tenant.provider,
            customer=client.customer,
            kind=PoolIntent.Kind.CREATE_ACCOUNT,
            defaults={
                "login": tenant.login,
                "account_name": "wanted",
                "state": PoolIntent.State.UNKNOWN,
                "created_at": NOW,
            },
        )
    return {"code": found.code}


def quarantined(tenant: Tenant) -> dict[str, str]:
    return {"code": quarantined_of(tenant).code}


def link(tenant: Tenant) -> dict[str, str]:
    account = tenant.clients[0].account
    with tenancy.access_context(tenant.system):
        found = WatcherLink.objects.filter(mining_account=account).first()
    return {"code": (found or make_link(tenant, account)).code}


def staff_invitation(tenant: Tenant) -> dict[str, str]:
    return {"code": _invitation(tenant, MemberKind.STAFF, None)}


def customer_invitation(tenant: Tenant) -> dict[str, str]:
    invited_to = tenant.clients[0].customer
    return {"code": invited_to.code, "invitation": _invitation(tenant, MemberKind.CUSTOMER, invited_to)}


def _invitation(tenant: Tenant, kind: MemberKind, invited_to: Customer | None) -> str:
    with tenancy.access_context(tenant.system):
        found = Invitation.objects.filter(kind=kind, customer=invited_to).first()
        return (
            found
            or onboarding.invite(
                tenant.system, email="guest@x.example", kind=kind, role=Role.OWNER, customer=invited_to, now=NOW
            ).invitation
        ).code


def customer_member(tenant: Tenant) -> dict[str, str]:
    # Of the second customer: the first one's people are asked for the page themselves.
    client = tenant.clients[1]
    return {"code": client.customer.code, "member": client.viewer.membership.code}


def only_owner(tenant: Tenant) -> dict[str, str]:
    return {"code": tenant.owner.membership.code}


def token(tenant: Tenant) -> dict[str, str]:
    with tenancy.access_context(tenant.system):
        return {"code": ApiToken.objects.get(provider=tenant.provider).code}


def read_machine(tenant: Tenant) -> dict[str, str]:
    """Of an account whose machines were read."""
    return {"code": a_fleet(tenant)["rig3"].code}


def of_read(tenant: Tenant) -> dict[str, str]:
    """Nothing in the address, and machines that were read."""
    a_fleet(tenant)
    return {}


def read_account(tenant: Tenant) -> dict[str, str]:
    a_fleet(tenant)
    return customer(tenant)


def customers_machine(tenant: Tenant) -> dict[str, str]:
    return {**customer(tenant), "worker": a_fleet(tenant)["rig3"].code}


def exclusion(tenant: Tenant) -> dict[str, str]:
    a_fleet(tenant)
    with tenancy.access_context(tenant.system):
        return {"code": Exclusion.objects.filter(provider=tenant.provider).order_by("pk")[0].code}


def statement(tenant: Tenant) -> dict[str, str]:
    return {"code": statement_of(tenant).code}


def payment(tenant: Tenant) -> dict[str, str]:
    """One that is not used for anything."""
    paid_by, ref = tenant.clients[0].customer, "1" * 64 + ":0"
    with tenancy.access_context(tenant.system):
        if (known := Fund.objects.filter(customer=paid_by, ref=ref).first()) is not None:
            return {"code": known.code}
        made = Payment(customer=paid_by, paid_by=PaidBy.CUSTOMER, amount=5, ref=ref, received_on=NOW.date())
        return {"code": recording.record(tenant.system, made, now=NOW).code}


def run(tenant: Tenant) -> dict[str, str]:
    return {"code": tenant.run.code}


# pattern → row. Patterns are the resolver's, as `manage.py` and the failing test print them.
ROUTES: dict[str, Row] = {
    "": Row("signed_in", answers=(302,)),
    "choose/": Row("signed_in"),
    "kept/<str:name>/": Row("signed_in", lambda _: {"name": "guess"}, answers=(404,)),
    "invite/<str:secret>/": Row("open", lambda _: {"secret": "guess"}, answers=(404,)),
    # Staff. Buttons answer 302 with a message; a form that is sent empty comes back with its errors.
    "staff/": Row("staff:read"),
    "staff/customers/": Row("staff:read"),
    "staff/customers/new/": Row("staff:onboard"),
    "staff/customers/<str:code>/": Row("staff:read", customer),
    "staff/customers/<str:code>/edit/": Row("staff:onboard", customer),
    "staff/customers/<str:code>/close/": Row("staff:onboard", customer, asks=True),
    "staff/customers/<str:code>/reopen/": Row("staff:onboard", customer, "post", (302,)),
    "staff/customers/<str:code>/account/": Row("staff:onboard", customer),
    "staff/customers/<str:code>/invite/": Row("staff:onboard", customer),
    "staff/customers/<str:code>/invitations/<str:invitation>/revoke/": Row(
        "staff:onboard", customer_invitation, "post", (302,)
    ),
    "staff/customers/<str:code>/people/<str:member>/end/": Row("staff:onboard", customer_member, "post", (302,)),
    "staff/customers/<str:code>/payout/accept/": Row("staff:payouts", customer, answers=(302,), asks=True),
    "staff/customers/<str:code>/payout/end-alarm/": Row("staff:payouts", customer, answers=(302,), asks=True),
    "staff/customers/<str:code>/payout/misdirected/": Row("staff:payouts", customer, answers=(302,), asks=True),
    "staff/customers/<str:code>/watcher-links/": Row("staff:read", customer, answers=(302,)),  # a part of the page
    "staff/customers/<str:code>/watcher-links/new/": Row("staff:links", customer),
    "staff/customers/<str:code>/machines/": Row("staff:read", customer),
    "staff/customers/<str:code>/machines/csv/": Row("staff:read", read_account),
    "staff/customers/<str:code>/machines/<str:worker>/": Row("staff:read", customers_machine),
    "staff/customers/<str:code>/machines/<str:worker>/csv/": Row("staff:read", customers_machine),
    "staff/customers/<str:code>/machines/<str:worker>/retire/": Row(
        "staff:machines", customers_machine, "post", (302,)
    ),
    "staff/customers/<str:code>/machines/<str:worker>/site/": Row("staff:machines", customers_machine, "post", (302,)),
    "staff/customers/<str:code>/site/": Row("staff:machines", read_account),
    "staff/customers/<str:code>/uptime/": Row("staff:read", customer),
    "staff/customers/<str:code>/uptime/csv/": Row("staff:read", read_account),
    "staff/customers/<str:code>/uptime/json/": Row("staff:read", read_account),
    "staff/fleet/": Row("staff:read"),
    "staff/fleet/csv/": Row("staff:read"),
    "staff/exclusions/": Row("staff:read"),
    "staff/exclusions/new/": Row("staff:exclusions", method="post"),
    "staff/exclusions/<str:code>/end/": Row("staff:exclusions", exclusion, "post", (302,)),
    "staff/exclusions/<str:code>/change/": Row("staff:exclusions", exclusion),
    "staff/watcher-links/": Row("staff:read"),
    "staff/watcher-links/<str:code>/renew/": Row("staff:links", link, "post", (302,)),
    "staff/watcher-links/<str:code>/renewal/": Row("staff:links", link, "post", (302,)),
    "staff/intents/<str:code>/decide/": Row("staff:decide", intent, "post", (302,)),
    "staff/contracts/": Row("staff:read"),
    "staff/contracts/new/": Row("staff:contracts"),
    "staff/contracts/<str:code>/": Row("staff:read", contract),
    "staff/contracts/<str:code>/versions/": Row("staff:contracts", contract, "post"),
    "staff/rewards/": Row("staff:read"),
    "staff/documents/": Row("staff:read"),
    "staff/documents/close/": Row("staff:issue", method="post", answers=(302,)),
    "staff/documents/issue/": Row("staff:issue", answers=(302,), asks=True),  # nothing chosen: back to the list
    "staff/documents/<str:code>/": Row("staff:read", document),
    "staff/documents/<str:code>/let-pass/": Row("staff:issue", document, "post", (302,), asks=True),
    "staff/documents/<str:code>/discard/": Row("staff:issue", document, "post", (302,)),
    "staff/documents/<str:code>/files/": Row("staff:issue", document, "post", (302,)),  # a draft has none
    "staff/documents/<str:code>/pdf/": Row("staff:read", document, answers=(302,)),  # a draft has none
    "staff/documents/<str:code>/csv/": Row("staff:read", document),
    "staff/documents/<str:code>/void/": Row("staff:issue", statement, asks=True),
    "staff/documents/<str:code>/write-off/": Row("staff:issue", statement, asks=True),
    "staff/documents/<str:code>/take-up-again/": Row("staff:issue", statement, asks=True),
    "staff/balances/": Row("staff:read"),
    "staff/payments/": Row("staff:read"),
    "staff/payments/new/": Row("staff:payments"),
    "staff/payments/file/": Row("staff:payments"),
    "staff/payments/<str:code>/": Row("staff:read", payment),
    "staff/payments/<str:code>/use/": Row("staff:payments", payment, "post", (302,), asks=True),
    "staff/payments/<str:code>/take-back/": Row("staff:payments", payment, asks=True),
    "staff/customers/<str:code>/statement/": Row("staff:read", customer),
    "staff/alerts/": Row("staff:read"),
    "staff/alerts/rules/": Row("staff:read"),
    "staff/alerts/rules/<str:code>/": Row("staff:alert_rules", alert_rule),
    "staff/alerts/mails/": Row("staff:read"),
    "staff/alerts/<str:code>/": Row("staff:read", alert),
    "staff/alerts/<str:code>/acknowledge/": Row("staff:alerts", alert, "post", (302,)),
    "staff/alerts/<str:code>/assign/": Row("staff:alerts", alert, "post", (302,)),
    "staff/alerts/<str:code>/note/": Row("staff:alerts", alert, "post", (302,)),
    "staff/quarantine/<str:code>/": Row("staff:read", quarantined),
    "staff/sync/": Row("staff:read"),
    "staff/sync/now/": Row("staff:sync", method="post", answers=(302,)),
    "staff/keys/": Row("staff:read"),
    "staff/keys/paste/": Row("staff:keys", method="post", asks=True),
    "staff/keys/<str:code>/verify/": Row("staff:keys", credential, "post", (302,)),
    "staff/keys/logins/<str:code>/rename/": Row("staff:keys", login),
    "staff/keys/<str:code>/withdraw/": Row("staff:keys", credential, "post", (302,), asks=True),
    "staff/settings/": Row("staff:read", answers=(302,)),  # to the first of its pages
    "staff/settings/company/": Row("staff:read"),
    "staff/settings/company/change/": Row("staff:settings", method="post"),
    "staff/settings/company/brand/": Row("staff:settings", method="post", answers=(302,)),  # nothing chosen is no error
    "staff/settings/payments/": Row("staff:read"),
    "staff/settings/payments/change/": Row("staff:settings", method="post", asks=True),
    "staff/settings/tokens/": Row("staff:read"),
    "staff/settings/tokens/new/": Row("staff:tokens", asks=True),
    "staff/settings/tokens/<str:code>/revoke/": Row("staff:tokens", token, "post", (302,), asks=True),
    "staff/team/": Row("staff:read"),
    "staff/team/invite/": Row("staff:team", method="post", asks=True),
    "staff/team/invitations/<str:code>/revoke/": Row("staff:team", staff_invitation, "post", (302,), asks=True),
    "staff/team/<str:code>/role/": Row("staff:team", only_owner, "post", (302,), asks=True),
    "staff/team/<str:code>/end/": Row("staff:team", only_owner, "post", (302,), asks=True),
    # Customers. A statement is an issued document; the second customer of the same provider is an outsider to it.
    "overview/": Row("customer"),
    "machines/": Row("customer"),
    "machines/csv/": Row("customer", of_read),
    "machines/<str:code>/": Row("customer", read_machine),
    "machines/<str:code>/csv/": Row("customer", read_machine),
    "uptime/": Row("customer"),
    "uptime/csv/": Row("customer", of_read),
    "uptime/json/": Row("customer", of_read),
    "rewards/": Row("customer"),
    "rewards/csv/": Row("customer"),
    "statements/": Row("customer"),
    "statements/<str:code>/": Row("customer", statement),
    "statements/<str:code>/pdf/": Row("customer", statement),
    "statements/<str:code>/csv/": Row("customer", statement),
    "watcher-links/": Row("customer"),
    "alerts/": Row("customer"),
    "alerts/rules/<slug:kind>/": Row("customer:alert_rules", lambda _: {"kind": "hashrate_low"}, "post"),
    "alerts/mails/": Row("customer", method="post"),
    "me/": Row("customer"),
    "brand/<slug:provider>/<slug:sha256>.png": Row(
        "open", lambda _: {"provider": "prv_guess", "sha256": "guess"}, answers=(404,)
    ),
    "brand/<slug:colour>.css": Row("open", lambda _: {"colour": "23579f"}),
    # Balancers.
    "healthz": Row("open"),
    "readyz": Row("open"),
    # The API's documentation; its resources have a matrix of their own.
    "api/v1/docs": Row("open"),
    "api/v1/docs/": Row("open"),
    # allauth's pages show nothing of a tenant. Who is signed in is sent on from the page that signs in, and asked for
    # the password or the second factor before the pages that change them.
    "account/login/": Row("open", answers=(200, 302)),
    "account/logout/": Row("open", answers=(200, 302)),
    "account/inactive/": Row("open"),
    "account/signup/": Row("open", answers=(200, 302)),
    "account/reauthenticate/": Row("signed_in"),
    "account/password/change/": Row("signed_in"),
    "account/password/set/": Row("signed_in", answers=(302,)),
    "account/password/reset/": Row("open"),
    "account/password/reset/done/": Row("open"),
    "account/password/reset/key/done/": Row("open"),
    r"account/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$": Row(
        "open", path="account/password/reset/key/1-guess/"
    ),
    "account/sessions/": Row("signed_in"),
    "account/sessions/end-others/": Row("signed_in", method="post", answers=(302,)),
    "account/sessions/<slug:name>/end/": Row("signed_in", lambda _: {"name": "guess"}, "post", (404,)),
    "account/2fa/": Row("signed_in"),
    "account/2fa/authenticate/": Row("open", answers=(302,)),
    "account/2fa/reauthenticate/": Row("signed_in", answers=(200, 302)),
    "account/2fa/totp/activate/": Row("signed_in", answers=(302,)),
    "account/2fa/totp/deactivate/": Row("signed_in", answers=(200, 302, 404)),
    "account/2fa/recovery-codes/": Row("signed_in", answers=(200, 302, 404)),
    "account/2fa/recovery-codes/download/": Row("signed_in", answers=(200, 302, 404)),
    "account/2fa/recovery-codes/generate/": Row("signed_in", answers=(200, 302, 404)),
    "account/email/": Row("closed"),
    "account/confirm-email/": Row("closed"),
    r"account/^confirm-email/(?P<key>[-:\w]+)/$": Row("closed", path="account/confirm-email/guess/"),
    "account/login/code/confirm/": Row("closed"),
}
