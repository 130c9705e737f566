"""What happens in the demo: a provider is onboarded, two months of rewards arrive, and the ended months are closed.

Everything goes through the functions that pages and API call; what needs the pool is done by the Celery worker.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.request import Request, urlopen

from allauth.account.models import EmailAddress
from allauth.mfa.app_settings import TOTP_PERIOD
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
)
from allauth.mfa.utils import decrypt
from django.utils import timezone

from billing.contracts import agree
from billing.issue import issue
from billing.models import ContractVersion, Document, DocumentFile, FileKind
from billing.models.documents import DocumentStatus
from billing.settlement import close_period
from customers import onboarding, tenancy
from customers.models import Customer, MemberKind, Provider, Role, User
from customers.tenancy import Access, Kind
from devkit.demo.calendar import ended_months
from devkit.demo.children import ChildFailed, Children
from mining import accounts, planner
from mining.fleet import exclusions, states
from mining.fleet import expected as fleet_labels
from mining.fleet.states import State
from mining.keys import store as key_store
from mining.links.issuing import issue_link
from mining.models import Credential, Exclusion, LinkLifetime, LinkPermission, MiningAccount, SyncRun, WatcherLink
from mining.models.runs import Subject
from mining.payouts import agreements
from mining.payouts import views as payout_views
from mining.payouts import words as payout_words

SLUG, NAME, LOGIN = "northmere", "Northmere Hosting", "northmere"
TIME_TO_TYPE_SECONDS = 15
HALLS = ("Bergvik hall 1", "Bergvik hall 2", "Sandmoor")
MISHAPS = 2  # machines of the first customer
FLIPS = "lumen_farm"  # the account whose destination the sandbox changes in the middle of each month
NEW_ACCOUNTS = ("gale_compute", "heron_mining")  # made at the pool; the other ten are taken over
NAMES = (
    "Alder & Finch Mining", "Birch Compute", "Cedar Hash", "Dunmore Digital", "Eskdale Partners", "Fenwick Energy",
    "Gale Compute", "Heron Mining", "Inver Hashworks", "Juniper 矿业有限公司",
    "Kestrel شركة التعدين", "Larch \N{ROCKET}",
)  # fmt: skip
# share in ppm, basis, who bears the pool's fee: three kinds of terms, so that the table shows each.
TERMS: tuple[dict[str, Any], ...] = (
    {"share_ppm": 150_000, "basis": "net"},
    {"share_ppm": 125_000, "basis": "gross", "pool_fee_borne_by": "customer"},
    {"share_ppm": 100_000, "basis": "gross", "pool_fee_borne_by": "provider"},
    {"share_ppm": 333_333, "basis": "net"},
)


@dataclass(frozen=True)
class Login:
    who: str
    email: str
    password: str
    secret: str | None = None  # of the second factor, as an authenticator app takes it

    def __str__(self) -> str:
        second = f"   second factor now: {present_code(self.secret)}, its key: {self.secret}" if self.secret else ""
        return f"{self.who:<34} {self.email:<34} {self.password}{second}"


class Story:
    def __init__(self, started: Children, *, sandbox_url: str, password: str) -> None:
        self.started = started
        self.sandbox_url = sandbox_url
        self.password = password
        self.access: Access
        self.first_month: date
        self.last_month: date

    def play(self, *, now: datetime) -> None:
        self.first_month, self.last_month = ended_months(now.date())
        provider = Provider.objects.filter(slug=SLUG).first()
        if provider is None:
            _say("Onboarding the provider, its key and a dozen customers …")
            self.access = onboarding.create_provider(slug=SLUG, name=NAME, now=now)
        else:
            self.access = Access(kind=Kind.SYSTEM, provider=provider, label="demo")
        self._people(now)
        self._key(now)
        self._customers(now)
        self._sync(now, only=Subject.PAYOUTS)  # what stands at the pool when a customer comes is what was agreed
        self._set_pool_clock(now.isoformat())
        _say("Reading rewards, hashrate, workers and payout destinations through the worker …")
        self._sync(now)
        self._accept_payouts(now)
        self._machines(now)
        self._links(now)
        _say(f"Closing {self.first_month:%B} and {self.last_month:%B} …")
        for month in (self.first_month, self.last_month):
            self._close(month)
        self._wait("the PDFs", self._files_are_there)

    # -- people

    def _people(self, now: datetime) -> None:
        with tenancy.access_context(self.access):
            self._member(f"staff@{SLUG}.example", "Robin Staff", MemberKind.STAFF, Role.OWNER, None, now)

    def _member(
        self, email: str, name: str, kind: MemberKind, role: Role, customer: Customer | None, now: datetime
    ) -> None:
        if User.objects.filter(email=email).exists():
            return
        user = User.objects.create_user(email, name, self.password, now=now)
        EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
        if kind == MemberKind.STAFF:
            TOTP.activate(user, generate_totp_secret())
        invited = onboarding.invite(self.access, email=email, kind=kind, role=role, customer=customer, now=now)
        onboarding.accept_invitation(invited.secret, user, now=now)

    def logins(self) -> list[Login]:
        staff = f"staff@{SLUG}.example"
        return [
            Login(f"Staff of {NAME}", staff, self.password, secret_of(staff)),
            *(Login(f"Customer {name}", _email(name), self.password) for name in (NAMES[0], NAMES[1])),
        ]

    # -- key and customers

    def _key(self, now: datetime) -> None:
        with tenancy.access_context(self.access):
            if Credential.objects.visible_to(self.access).exists():
                return
        user = next(u for u in self._control("GET", "/sandbox/truth")["users"] if u["login"] == LOGIN)
        with tenancy.access_context(self.access):
            api_key, secret = user["keys"][0]["api_key"], user["keys"][0]["secret"]
            key_store.paste_key(self.access, login_name=LOGIN, api_key=api_key, secret=secret, now=now)
        self._wait("the key's verification", self._key_is_active)
        self._sync(now, only=Subject.ACCOUNTS)

    def _key_is_active(self) -> bool:
        with tenancy.access_context(self.access):
            credential = Credential.objects.visible_to(self.access).get()
        if credential.state == Credential.State.REFUSED:
            raise ChildFailed(f"The pool refused the key: {credential.problem}")
        return credential.state == Credential.State.ACTIVE

    def _customers(self, now: datetime) -> None:
        with tenancy.access_context(self.access):
            there = set(Customer.objects.visible_to(self.access).values_list("external_ref", flat=True))
            listed = MiningAccount.objects.visible_to(self.access).filter(customer=None).order_by("name")
            adopted = [account.name for account in listed]
        names = [(name, True) for name in adopted] + [(name, False) for name in NEW_ACCOUNTS]
        for index, (account_name, adopt) in enumerate(sorted(names)):
            if f"C-{index + 1:03}" not in there:
                self._customer(index, account_name, adopt=adopt, now=now)
        self._wait("the mining accounts", self._accounts_are_active)

    def _customer(self, index: int, account_name: str, *, adopt: bool, now: datetime) -> None:
        name = NAMES[index % len(NAMES)]
        with tenancy.access_context(self.access):
            customer = accounts.onboard_customer(
                self.access,
                name=name,
                email=_email(name),
                external_ref=f"C-{index + 1:03}",
                account_name=account_name,
                adopt=adopt,
                now=now,
            )
            component = {"kind": "revenue_share", **TERMS[index % len(TERMS)]}
            agree(
                self.access,
                customer=customer,
                valid_from=self.first_month,
                settle_in="btc",
                components=[component],
                now=now,
            )
            self._member(_email(name), f"Owner of {name}", MemberKind.CUSTOMER, Role.OWNER, customer, now)

    def _accounts_are_active(self) -> bool:
        with tenancy.access_context(self.access):
            mine = MiningAccount.objects.visible_to(self.access).exclude(customer=None)
            return not mine.exclude(state=MiningAccount.State.ACTIVE).exists()

    # -- work

    def _sync(self, now: datetime, only: Subject | None = None) -> None:
        with tenancy.access_context(self.access):
            runs = [run.pk for run in planner.request_sync(self.access, only=only, now=now)]
        self._wait("the sync", lambda: self._runs_ended(runs))

    def _runs_ended(self, pks: list[int]) -> bool:
        with tenancy.access_context(self.access):
            runs = list(SyncRun.objects.visible_to(self.access).filter(pk__in=pks))
        for run in runs:
            if run.state == SyncRun.State.FAILED:
                raise ChildFailed(f"Reading {run.subject} failed: {run.error}")
        return all(run.state in (SyncRun.State.OK, SyncRun.State.PARTIAL) for run in runs)

    def _accept_payouts(self, now: datetime) -> None:
        """One customer has its rewards paid elsewhere twice a month: agreed to, or nothing would be issued for it."""
        with tenancy.access_context(self.access):
            for account in payout_views.drifting(self.access):
                if account.name != FLIPS:
                    continue  # made by whoever tries the demo: the alarm is theirs to see
                to = account.payout_destination or ""
                agreements.accept(self.access, account, destination=to, address=account.payout_address, now=now)
                _say(f"{account.name} is paid to {payout_words.in_words(to, account.payout_address)} now: agreed.")

    def _machines(self, now: datetime) -> None:
        """Two halls; one machine dies, one goes and comes back, and an exclusion is planned. Played again: no more."""
        with tenancy.access_context(self.access):
            mine = MiningAccount.objects.visible_to(self.access).filter(customer__name__in=NAMES, site="")
            labelled = list(mine.order_by("customer__name"))
            for index, account in enumerate(labelled):
                fleet_labels.set_site(self.access, account, site=HALLS[index % len(HALLS)], now=now)
            first = MiningAccount.objects.visible_to(self.access).get(customer__name=NAMES[0])
            up = [row.worker.name for row in states.workers_of(self.access, first, now=now) if row.state == State.UP]
        if not labelled or len(up) < MISHAPS:
            return
        _say(f"A machine of {NAMES[0]} dies, and another one comes back …")
        for names, state in ((up[:MISHAPS], "offline"), (up[1:MISHAPS], "online")):
            edit = {"login": LOGIN, "account": first.name, "workers": names, "state": state}
            self._control("POST", "/sandbox/edit", {"act": "set_workers", **edit})
            self._sync(timezone.now(), only=Subject.WORKERS)
        night = timezone.now().replace(hour=2, minute=0, second=0, microsecond=0) + timedelta(days=2)
        with tenancy.access_context(self.access):
            exclusions.enter(
                self.access,
                site=HALLS[0],
                from_at=night,
                until_at=night + timedelta(hours=2),
                reason=Exclusion.Reason.MAINTENANCE,
                note="filters are changed",
                now=now,
            )

    def _links(self, now: datetime) -> None:
        """Two customers get a watcher link that renews itself; played again, they keep what they have."""
        with tenancy.access_context(self.access):
            mine = MiningAccount.objects.visible_to(self.access).filter(customer__name__in=NAMES[:2])
            for account in mine.exclude(watcher_links__renews=True):
                shows = (LinkPermission.DASHBOARD, LinkPermission.WORKERS)
                issue_link(self.access, account, permissions=shows, lifetime=LinkLifetime.WEEK, renews=True, now=now)
        self._wait("the watcher links", self._links_are_made)

    def _links_are_made(self) -> bool:
        with tenancy.access_context(self.access):
            return not WatcherLink.objects.visible_to(self.access).filter(state=WatcherLink.State.CREATING).exists()

    def _close(self, month: date) -> None:
        with tenancy.access_context(self.access):
            documents = close_period(self.access, month=month, now=timezone.now())
            for document in documents:
                if document.status == DocumentStatus.DRAFT:
                    issue(self.access, document, now=timezone.now())

    def _files_are_there(self) -> bool:
        with tenancy.access_context(self.access):
            issued = Document.objects.visible_to(self.access).filter(status=DocumentStatus.ISSUED).count()
            return DocumentFile.objects.visible_to(self.access).count() == issued * len(FileKind)

    def _wait(self, what: str, done: Callable[[], bool], *, seconds: float = 240) -> None:
        # Longer than the lease of a reading that was stopped in its middle: the next one may have to wait for it.
        deadline, told_at = time.monotonic() + seconds, time.monotonic() + 15
        while not done():
            self.started.check()
            if time.monotonic() > told_at:
                _say(f"Still waiting for {what}; a reading that was stopped half-way is given up after 150 s.")
                told_at = deadline
            if time.monotonic() > deadline:
                raise ChildFailed(f"{what.capitalize()} took over {seconds:.0f} s. See {self.started.log('worker')}.")
            time.sleep(0.2)

    # -- the sandbox's control interface (not the pool's: the portal never uses it)

    def _set_pool_clock(self, moment: str) -> None:
        self._control("POST", "/sandbox/clock", {"now": moment})

    def _control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        request = Request(  # noqa: S310 - our own sandbox on this machine
            self.sandbox_url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
            return json.load(answer)

    def truth(self) -> list[dict[str, Any]]:
        rewards: list[dict[str, Any]] = self._control("GET", f"/sandbox/truth/rewards?login={LOGIN}")["data"]
        return rewards


def secret_of(email: str) -> str:
    app = Authenticator.objects.get(user__email=email, type=Authenticator.Type.TOTP)
    secret: str = decrypt(app.data["secret"])
    return secret


def present_code(secret: str) -> str:
    """Good for 15 s at the least: what is nearly over is waited out."""
    now = time.time()
    while (left := TOTP_PERIOD - now % TOTP_PERIOD) < TIME_TO_TYPE_SECONDS:
        time.sleep(left)
        now = time.time()
    return str(format_hotp_value(hotp_value(secret, int(now) // TOTP_PERIOD)))


def _email(name: str) -> str:
    ascii_words = re.findall(r"[a-z]+", name.lower())
    return f"owner@{'-'.join(ascii_words)}.example"


def _say(text: str) -> None:
    print(text, flush=True)


def contract_terms(access: Access) -> dict[str, list[dict[str, Any]]]:
    """customer code → the terms of its versions, each with the days on which it holds, the earliest first."""
    found: dict[str, list[dict[str, Any]]] = {}
    versions = (
        ContractVersion.objects.visible_to(access)
        .filter(withdrawn_at=None)
        .select_related("customer")
        .order_by("valid")
    )
    for version in versions.prefetch_related("components"):
        component = version.components.all()[0]
        terms = {
            "valid": version.valid,
            "share_ppm": component.share_ppm,
            "basis": component.basis,
            "pool_fee_borne_by": component.pool_fee_borne_by,
        }
        found.setdefault(version.customer.code, []).append(terms)
    return found
