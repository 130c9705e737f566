"""Customers: who they are, and the one mining account of each."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch, QuerySet
from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from customers.editing import change_details
from customers.models import Customer
from customers.tenancy import Access
from mining import accounts
from mining.keys import logins
from mining.models import MiningAccount, PoolLogin
from mining.models.rewards import Destination
from portal.api.base import ListView, ResourceView, wrong
from portal.api.fields import Email, Flag, InputSerializer, Matching, Text
from portal.api.paging import PageSerializer
from portal.api.schema import list_operation, operation

REFERENCE_HELP = "Your own number for this customer; unique where it is given."


class CustomerAccountSerializer(serializers.Serializer[MiningAccount]):
    id = serializers.CharField(source="code")
    name = serializers.CharField(help_text="The account's name at the pool.")
    credential = serializers.CharField(source="login.name", help_text="The label of the pool key: it names the login.")
    state = serializers.ChoiceField(
        choices=MiningAccount.State.choices,
        help_text="creating: asked for, the pool has not confirmed it yet. unknown: the pool does not list it now.",
    )
    payout_destination = serializers.ChoiceField(
        choices=Destination.choices, allow_null=True, help_text="Where the pool pays to now; null: not read yet."
    )
    payout_address = serializers.CharField(allow_null=True, help_text="The address for external_address.")
    payout_first_seen_at = serializers.DateTimeField(
        allow_null=True, help_text="When the pool was first seen to pay there; null: not known."
    )
    payout_drift_since = serializers.DateTimeField(
        allow_null=True,
        help_text="Since when the pool pays elsewhere than was agreed: do not pay by it. null: as agreed, or not read.",
    )


class CustomerSerializer(serializers.Serializer[Customer]):
    id = serializers.CharField(source="code")
    name = serializers.CharField()
    email = serializers.EmailField()
    external_ref = serializers.CharField(allow_null=True, help_text=REFERENCE_HELP)
    status = serializers.ChoiceField(choices=Customer.Status.choices)
    mining_account = serializers.SerializerMethodField(
        help_text="null: the account that was asked for could not be had, and the customer has none yet."
    )

    @extend_schema_field(CustomerAccountSerializer(allow_null=True))
    def get_mining_account(self, customer: Customer) -> dict[str, Any] | None:
        for account in customer.mining_accounts.all():  # prefetched; at most one
            return dict(CustomerAccountSerializer(account).data)
        return None


class WantedAccountSerializer(InputSerializer):
    name = Matching(
        accounts.ACCOUNT_NAME.pattern,
        "An account name has letters, digits and _ only.",
        max_length=255,
        help_text="Its name at the pool: letters, digits and _.",
    )
    adopt = Flag(help_text="true: take over the account of this name that exists at the pool. false: create it there.")
    credential = Text(
        required=False, max_length=64, help_text="The label of the pool key; needed only when there are several."
    )


class NewCustomerSerializer(InputSerializer):
    name = Text(max_length=200)
    email = Email(max_length=254, help_text="For us to reach the customer. Nothing is sent to it by this call.")
    external_ref = Text(required=False, allow_null=True, max_length=100, help_text=REFERENCE_HELP)
    mining_account = WantedAccountSerializer()


class CustomerChangesSerializer(InputSerializer):
    name = Text(max_length=200)
    email = Email(max_length=254)
    external_ref = Text(allow_null=True, max_length=100, help_text=REFERENCE_HELP + " null takes it away.")


class CustomerQuerySerializer(PageSerializer):
    external_ref = Text(required=False, max_length=100, help_text="The customer with this reference of yours.")
    status = serializers.ChoiceField(choices=Customer.Status.choices, required=False)


def with_account(access: Access) -> QuerySet[Customer]:
    mine = MiningAccount.objects.visible_to(access).select_related("login")
    return Customer.objects.visible_to(access).prefetch_related(Prefetch("mining_accounts", queryset=mine))


class CustomerList(ListView):
    resource = "customers"
    query = CustomerQuerySerializer

    @list_operation("customers_list", "List customers, newest first", CustomerSerializer, CustomerQuerySerializer)
    def get(self, request: Request) -> Response:
        rows = with_account(self.access).filter(**self.filters(external_ref="external_ref", status="status"))
        page, following = self.keyset(rows, anchors=Customer.objects.visible_to(self.access))
        return self.listed(CustomerSerializer, page, following)

    @operation(
        "customers_create",
        "Onboard a customer",
        CustomerSerializer,
        body=NewCustomerSerializer,
        status=201,
        refusals=(400, 401, 403, 409),
        description=(
            "Stores the customer and has a worker take over or create the mining account; its `state` is `creating` "
            "until the pool has confirmed it. Sends no mail. Give an `external_ref` and repeating is safe: "
            "the second call is refused with 409."
        ),
    )
    def post(self, request: Request) -> Response:
        asked = self.body(NewCustomerSerializer)
        account = asked["mining_account"]
        customer = accounts.onboard_customer(
            self.access,
            name=asked["name"],
            email=asked["email"],
            external_ref=asked.get("external_ref"),
            account_name=account["name"],
            adopt=account["adopt"],
            login=self._login(account.get("credential")),
            now=self.now,
        )
        made = with_account(self.access).get(pk=customer.pk)
        return self.one(CustomerSerializer, made, status=201, at=reverse("api:customer", args=[made.code]))

    def _login(self, label: str | None) -> PoolLogin | None:
        read = logins.read_now(self.access)
        if label is None:
            if len(read) > 1:
                labels = ", ".join(login.name for login in read)
                sentence = f"There are several pool keys: name the one whose login has the account ({labels})."
                raise wrong("mining_account.credential", sentence)
            return None
        login = logins.find_login(self.access, label)
        if login not in read:
            raise wrong("mining_account.credential", f"There is no active pool key under the label {label!r}.")
        return login


class CustomerDetail(ResourceView):
    resource = "customers"

    @operation("customers_read", "One customer", CustomerSerializer)
    def get(self, request: Request, id: str) -> Response:
        return self.one(CustomerSerializer, get_object_or_404(with_account(self.access), code=id))

    @operation(
        "customers_change",
        "Change a customer's details",
        CustomerSerializer,
        body=CustomerChangesSerializer,
        refusals=(400, 401, 403, 404, 409),
        description="What is not given stays as it is. The customer's own people and their sign-ins are not touched.",
    )
    def patch(self, request: Request, id: str) -> Response:
        customer = get_object_or_404(Customer.objects.visible_to(self.access), code=id)
        change_details(self.access, customer, now=self.now, **self.body(CustomerChangesSerializer, partial=True))
        return self.one(CustomerSerializer, with_account(self.access).get(pk=customer.pk))
