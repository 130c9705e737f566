"""Customers: the list, one customer with all that is known of it, and bringing a new one in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.db.models import Count, QuerySet
from django.db.models.functions import Lower
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from billing.leaving import close_customer, what_is_open
from billing.models import Contract, Document, DocumentStatus
from billing.payments.balances import balances
from billing.shares import MonthToDate, month_to_date, months_to_date, shares_of
from customers import leaving, members
from customers.editing import change_details
from customers.models import Customer, Invitation, MemberKind, Membership, Role
from customers.tenancy import Access
from mining import accounts, intents
from mining import queries as mining
from mining.keys import logins
from mining.models import MiningAccount, PoolIntent, Reward, WatcherLink
from mining.queries import CurrentHashrate, Workers
from portal import second_factor
from portal.access import AccessRequest, staff_page
from portal.forms.staff import ADOPT, AccountForm, CustomerFilter, CustomerForm, InviteForm, NewCustomerForm
from portal.invitations import send_invitation
from portal.templatetags.units import hashrate_unit
from portal.views.charts import hashrate_chart
from portal.views.lookup import the
from portal.views.paging import asked_for, keyset
from portal.views.staff.contracts import terms_of
from portal.views.staff.links import links_part
from portal.views.staff.overview import read_at
from portal.views.staff.payouts import payout_part
from portal.views.staff.responses import accepted, do
from portal.views.staff.rewards import notes
from portal.views.staff.search import customers_found

FEW = 7  # rewards and documents on a customer's page; the lists have the rest
OPEN_INTENT = (PoolIntent.State.PLANNED, PoolIntent.State.CALLED)


# --- The list


@dataclass(frozen=True, slots=True)
class Row:
    customer: Customer
    account: MiningAccount | None
    hashrate: CurrentHashrate
    workers: Workers | None
    month: MonthToDate
    read_at: datetime | None


@staff_page("read")
@require_GET
def customers(request: AccessRequest) -> HttpResponse:
    access, now = request.access, timezone.now()
    form = CustomerFilter(request.GET or None)
    words = form.cleaned_data["q"] if form.is_valid() else ""
    everybody = Customer.objects.visible_to(access)
    page = keyset(
        asked_for(form, customers_found(access, words)).annotate(by_name=Lower("name")),
        request.GET.get("after"),
        order=("by_name", "pk"),
    )
    context: dict[str, Any] = {
        "rows": _rows(access, page.rows, now=now),
        "after": page.after,
        "shown": page.shown,
        "form": form,
        "words": words,
        "count": everybody.count(),
        "found": customers_found(access, words).count() if words else None,
        "states": _states(access),
        "unassigned": mining.unassigned_accounts(access),
        "month": now.date(),
        "read_at": read_at(access, now=now),
    }
    context["unit"] = hashrate_unit(_largest(context["rows"]))
    return render(request, "staff/customers.html", context)


def _states(access: Access) -> dict[str, int]:
    """How many customers' accounts are in each state. Those without a customer are told apart."""
    given = MiningAccount.objects.visible_to(access).exclude(customer=None).order_by()
    return dict(given.values_list("state").annotate(count=Count("pk")))


def _largest(rows: list[Row]) -> Decimal | None:
    """One unit for the column."""
    return max((row.hashrate.hashrate_ths for row in rows if row.hashrate.hashrate_ths is not None), default=None)


def _rows(access: Access, page: Sequence[Customer], *, now: datetime) -> list[Row]:
    accounts = MiningAccount.objects.visible_to(access).filter(customer__in=page)
    accounts_of = {account.customer_id: account for account in accounts}
    hashrates = mining.current_hashrates(access, accounts_of.values(), now=now)
    months = months_to_date(access, page, now.date(), now)
    return [_row(customer, accounts_of.get(customer.pk), hashrates, months[customer.pk], now=now) for customer in page]


def _row(
    customer: Customer,
    account: MiningAccount | None,
    hashrates: dict[int, CurrentHashrate],
    month: MonthToDate,
    *,
    now: datetime,
) -> Row:
    if account is None:
        return Row(customer, None, mining.UNKNOWN_HASHRATE, None, month, None)
    age = mining.account_age(account, now=now)
    return Row(
        customer,
        account,
        hashrates[account.pk],
        mining.workers(account, now=now),
        month,
        None if age is None else now - age,
    )


# --- One customer


@staff_page("read")
@require_GET
def customer(request: AccessRequest, code: str) -> HttpResponse:
    shown = _customer(request, code)
    part = _account_part(request.access, shown, now=timezone.now())
    if request.headers.get("HX-Request"):
        return render(request, "staff/_customer_account.html", part)
    return render(request, "staff/customer.html", part | _whole(request.access, shown, now=timezone.now()))


def _customer(request: AccessRequest, code: str) -> Customer:
    return the(Customer.objects.visible_to(request.access), code)


def _account_part(access: Access, customer: Customer, *, now: datetime) -> dict[str, Any]:
    """What refreshes itself while the account is being created."""
    account = mining.account_of(access, customer)
    asked = PoolIntent.objects.visible_to(access).filter(customer=customer, kind__in=PoolIntent.ACCOUNT_KINDS)
    intent = asked.order_by("-pk").first()
    return {
        "customer": customer,
        "account": account,
        "intent": intent,
        "under_way": intent is not None and intent.state in OPEN_INTENT,
        "waits": intent is not None and intents.waits(intent, now=now),
        "hashrate": mining.current_hashrate(access, account, now=now) if account else mining.UNKNOWN_HASHRATE,
        "workers": mining.workers(account, now=now) if account else None,
        "month": month_to_date(access, customer, now.date(), now),
    }


def _whole(access: Access, customer: Customer, *, now: datetime) -> dict[str, Any]:
    account = mining.account_of(access, customer)
    rewards = list(_of(Reward.objects.visible_to(access), customer).order_by("-day", "-pk")[:FEW])
    shares = shares_of(rewards)
    contract = _of(Contract.objects.visible_to(access), customer).first()
    documents = _of(Document.objects.visible_to(access), customer).exclude(status=DocumentStatus.DISCARDED)
    return {
        "rewards": [(reward, shares[reward.pk], notes(shares[reward.pk].flags)) for reward in rewards],
        "contract": contract,
        "terms": terms_of(access, contract, now=now) if contract else None,
        "documents": list(documents.order_by("-pk")[:FEW]),
        "balances": balances(access, today=now.date(), customers=[customer]),
        "people": list(
            _of(Membership.objects.visible_to(access), customer)
            .filter(is_active=True)
            .select_related("user")
            .order_by("pk")
        ),
        "invitations": open_invitations(access, kind=MemberKind.CUSTOMER, customer=customer, now=now),
        **links_part(access, customer, now=now),
        **payout_part(access, customer, account, now=now),
        **hashrate_chart(mining.hashrate_series(access, account, now=now) if account else []),
    }


def _of(rows: QuerySet[Any], customer: Customer) -> QuerySet[Any]:
    return rows.filter(customer=customer)


def open_invitations(
    access: Access, *, kind: MemberKind, customer: Customer | None = None, now: datetime
) -> list[Invitation]:
    """Links that still work."""
    sent = Invitation.objects.visible_to(access).filter(kind=kind, customer=customer)
    return list(sent.filter(accepted_at=None, revoked_at=None, expires_at__gt=now).order_by("-pk"))


# --- Bringing one in


@staff_page("onboard")
@require_http_methods(["GET", "POST"])
def customer_new(request: AccessRequest) -> HttpResponse:
    access, pool_logins = request.access, logins.read_now(request.access)
    form = NewCustomerForm(request.POST or None, logins=pool_logins, initial=_asked_for(request))
    made: list[Customer] = []

    def onboard() -> None:
        given = form.cleaned_data
        made.append(
            accounts.onboard_customer(
                access,
                name=given["name"],
                email=given["email"],
                external_ref=given["external_ref"] or None,
                account_name=given["account_name"],
                adopt=given["how"] == ADOPT,
                login=given.get("login"),
                now=timezone.now(),
            )
        )

    if request.method == "POST" and accepted(form, onboard):
        messages.success(
            request, f"{made[0].name} is onboarded. The pool is asked about the account; agree on terms meanwhile."
        )
        return redirect("staff:customer", made[0].code)
    context = {"form": form, "unassigned": mining.unassigned_accounts(access), "logins": pool_logins}
    return render(request, "staff/customer_new.html", context)


@staff_page("onboard")
@require_http_methods(["GET", "POST"])
def customer_account(request: AccessRequest, code: str) -> HttpResponse:
    """The way on for a customer whose first account could not be had."""
    customer, pool_logins = _customer(request, code), logins.read_now(request.access)
    form = AccountForm(request.POST or None, logins=pool_logins, initial=_asked_for(request))

    def assign() -> None:
        given = form.cleaned_data
        accounts.assign_account(
            request.access,
            customer,
            account_name=given["account_name"],
            adopt=given["how"] == ADOPT,
            login=given.get("login"),
            now=timezone.now(),
        )

    if request.method == "POST" and accepted(form, assign):
        messages.success(request, f"{customer.name} gets the account {form.cleaned_data['account_name']}.")
        return redirect("staff:customer", customer.code)
    context = {
        "form": form,
        "customer": customer,
        "unassigned": mining.unassigned_accounts(request.access),
        "logins": pool_logins,
    }
    return render(request, "staff/customer_account.html", context)


def _asked_for(request: AccessRequest) -> dict[str, str]:
    """An account that somebody chose from the list beside the form."""
    return {"account_name": request.GET.get("account", ""), "login": request.GET.get("login", ""), "how": ADOPT}


# --- What it is called, and whether it is there


@staff_page("onboard")
@require_http_methods(["GET", "POST"])
def customer_edit(request: AccessRequest, code: str) -> HttpResponse:
    customer = _customer(request, code)
    shown = {"name": customer.name, "email": customer.email, "external_ref": customer.external_ref}
    form = CustomerForm(request.POST or None, initial=shown)

    def change() -> None:
        given = form.cleaned_data
        details = given | {"external_ref": given["external_ref"] or None}
        change_details(request.access, customer, now=timezone.now(), **details)

    if request.method == "POST" and accepted(form, change):
        messages.success(request, "Saved. Documents that are issued keep what they say.")
        return redirect("staff:customer", customer.code)
    return render(request, "staff/customer_edit.html", {"form": form, "customer": customer})


@staff_page("onboard")
@require_http_methods(["GET", "POST"])
@second_factor.required
def customer_close(request: AccessRequest, code: str) -> HttpResponse:
    """Says what ends and what goes on, and what is still open; then closes."""
    access, now, customer = request.access, timezone.now(), _customer(request, code)
    if customer.status == Customer.Status.CLOSED:
        messages.info(request, f"{customer.name} is closed already.")
        return redirect("staff:customer", customer.code)

    def close() -> str:
        close_customer(access, customer, now=now)
        return f"{customer.name} is closed."

    if request.method == "POST":
        return do(request, close, "staff:customer", customer.code)
    links = WatcherLink.objects.visible_to(access).live(now)
    context = {
        "customer": customer,
        "open": what_is_open(access, customer, now=now),
        "people": _of(Membership.objects.visible_to(access), customer).filter(is_active=True).count(),
        "invitations": len(open_invitations(access, kind=MemberKind.CUSTOMER, customer=customer, now=now)),
        "links": list(links.filter(customer=customer).order_by("live_until")),
        "account": mining.account_of(access, customer),
    }
    return render(request, "staff/customer_close.html", context)


@staff_page("onboard")
@require_POST
def customer_reopen(request: AccessRequest, code: str) -> HttpResponse:
    customer = _customer(request, code)

    def reopen() -> str:
        leaving.reopen(request.access, customer, now=timezone.now())
        return f"{customer.name} is open again. Invite its people anew."

    return do(request, reopen, "staff:customer", customer.code)


# --- Its people


@staff_page("onboard")
@require_http_methods(["GET", "POST"])
def customer_invite(request: AccessRequest, code: str) -> HttpResponse:
    customer = _customer(request, code)
    form = InviteForm(request.POST or None, kind=MemberKind.CUSTOMER, initial=_first_owner(request.access, customer))

    def invite() -> None:
        given = form.cleaned_data
        invited = members.invite_member(
            request.access,
            email=given["email"],
            kind=MemberKind.CUSTOMER,
            role=Role(given["role"]),
            customer=customer,
            now=timezone.now(),
        )
        send_invitation(invited, customer_name=customer.name)

    if request.method == "POST" and accepted(form, invite):
        messages.success(
            request, f"The invitation to {form.cleaned_data['email']} is on its way. The link works for 7 days."
        )
        return redirect("staff:customer", customer.code)
    return render(request, "staff/customer_invite.html", {"form": form, "customer": customer})


def _first_owner(access: Access, customer: Customer) -> dict[str, str]:
    anybody = Membership.objects.visible_to(access).filter(customer=customer, is_active=True).exists()
    return {} if anybody else {"email": customer.email, "role": Role.OWNER.value}


@staff_page("onboard")
@require_POST
def customer_invitation_revoke(request: AccessRequest, code: str, invitation: str) -> HttpResponse:
    customer = _customer(request, code)
    sent = the(Invitation.objects.visible_to(request.access), invitation, customer=customer)

    def revoke() -> str:
        members.revoke_invitation(request.access, sent, now=timezone.now())
        return f"The invitation to {sent.email} is revoked. Its link does not work any more."

    return do(request, revoke, "staff:customer", customer.code)


@staff_page("onboard")
@require_POST
def customer_member_end(request: AccessRequest, code: str, member: str) -> HttpResponse:
    customer = _customer(request, code)
    people = Membership.objects.visible_to(request.access).select_related("user")
    membership = the(people, member, customer=customer)

    def end() -> str:
        members.end_membership(request.access, membership, now=timezone.now())
        return f"{membership.user.email} sees nothing of {customer.name} any more."

    return do(request, end, "staff:customer", customer.code)
