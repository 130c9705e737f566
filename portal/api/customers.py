"""Customers: who they are, and the one mining account of each."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from billing.holds import misdirected
from billing.holds.misdirected import MisdirectedRewards
from billing.leaving import close_customer
from customers import leaving
from customers.editing import change_details
from customers.models import Customer
from mining import accounts
from mining.keys import logins
from mining.models import MiningAccount, PoolLogin
from mining.models.rewards import Destination
from portal.api.auth import MONEY
from portal.api.base import Filter, Resource, operation, wrong
from portal.api.fields import Email, Flag, InputSerializer, Matching, NothingSerializer, Words

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
    closed_at = serializers.DateTimeField(allow_null=True, help_text="null: it is active.")
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
    credential = Words(
        required=False, max_length=64, help_text="The label of the pool key; needed only when there are several."
    )


class NewCustomerSerializer(InputSerializer):
    name = Words(max_length=200)
    email = Email(max_length=254, help_text="For us to reach the customer. Nothing is sent to it by this call.")
    external_ref = Words(required=False, allow_null=True, max_length=100, help_text=REFERENCE_HELP)
    mining_account = WantedAccountSerializer()


class CustomerChangesSerializer(InputSerializer):
    name = Words(max_length=200)
    email = Email(max_length=254)
    external_ref = Words(allow_null=True, max_length=100, help_text=REFERENCE_HELP + " null takes it away.")


class MisdirectedSerializer(serializers.Serializer[MisdirectedRewards]):
    rewards = serializers.ListField(child=serializers.CharField(), help_text="Their ids, the earliest reward first.")
    seen_as = serializers.CharField(help_text="Stands for exactly these rewards at these places: approve them by it.")

    def to_representation(self, waiting: MisdirectedRewards) -> dict[str, Any]:
        return {"rewards": [reward.code for reward in waiting.rewards], "seen_as": waiting.seen_as}


class SeenSerializer(InputSerializer):
    seen_as = Words(max_length=64, help_text="As you read it beside the rewards.")


class ApprovedSerializer(serializers.Serializer[Any]):
    approved = serializers.IntegerField(help_text="How many.")


class Customers(ListModelMixin, RetrieveModelMixin, Resource[Customer]):
    resource = "customers"
    one = "customer"
    model = Customer
    serializer_class = CustomerSerializer
    filters = (
        Filter(
            "external_ref",
            "external_ref",
            Words,
            max_length=100,
            help_text="The customer with this reference of yours.",
        ),
        Filter("status", "status", serializers.ChoiceField, Customer.Status.choices),
    )
    enums = {"CustomerStatus": Customer.Status}

    def get_queryset(self) -> QuerySet[Customer]:
        accounts = MiningAccount.objects.visible_to(self.access).select_related("login")
        return self.visible().prefetch_related(Prefetch("mining_accounts", queryset=accounts))

    @operation(
        "Onboard a customer",
        body=NewCustomerSerializer,
        status=201,
        description=(
            "Stores the customer and has a worker take over or create the mining account; its `state` is `creating` "
            "until the pool has confirmed it. Sends no mail. Give an `external_ref` and repeating is safe: "
            "the second call is refused with 409."
        ),
    )
    def create(self, request: Request) -> Response:
        asked = self.body()
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
        return self.answer_anew(customer, located=True)

    @operation(
        "Change a customer's details",
        body=CustomerChangesSerializer,
        description="What is not given stays as it is. The customer's own people and their sign-ins are not touched.",
    )
    def partial_update(self, request: Request, id: str) -> Response:
        customer = self.row()
        change_details(self.access, customer, now=self.now, **self.body())
        return self.answer_anew(customer)

    @operation(
        "Close a customer",
        body=NothingSerializer,
        description="Its people's access ends, its open invitations are revoked, and its watcher links are not renewed:"
        " those that live go on to their end (`GET /watcher-links?customer=…`), for the pool takes none back. No terms,"
        " links, accounts or invitations from then on. The mining account stays its own and is read on; rewards that"
        " still come are billed. Refused (409) while a draft, an unbilled reward, a correction, a balance or an act at"
        " the pool is open.",
    )
    @action(detail=True, methods=["post"])
    def close(self, request: Request, id: str) -> Response:
        self.body()
        customer = self.row()
        close_customer(self.access, customer, now=self.now)
        return self.answer_anew(customer)

    @operation(
        "Open a closed customer again",
        body=NothingSerializer,
        description="Its people are invited anew; renewals of links are set anew.",
    )
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, id: str) -> Response:
        self.body()
        customer = self.row()
        leaving.reopen(self.access, customer, now=self.now)
        return self.answer_anew(customer)

    @operation(
        "Give a customer its mining account",
        body=WantedAccountSerializer,
        status=201,
        description="Takes over an account that belongs to nobody, or has a worker create one. Also the way on for a"
        " customer whose first account could not be had.",
    )
    @action(detail=True, methods=["post"], url_path="mining-account")
    def assign_account(self, request: Request, id: str) -> Response:
        asked = self.body()
        customer, login = self.row(), self._login(asked.get("credential"))
        accounts.assign_account(
            self.access, customer, account_name=asked["name"], adopt=asked["adopt"], login=login, now=self.now
        )
        return self.answer_anew(customer)

    @operation(
        "A customer's misdirected rewards",
        answer=MisdirectedSerializer,
        description="Rewards that the pool paid where nobody had agreed to, and that are not billed: they wait for a"
        " person.",
    )
    @action(detail=True, url_path="misdirected-rewards")
    def misdirected_rewards(self, request: Request, id: str) -> Response:
        return Response(MisdirectedSerializer(misdirected.of_customer(self.access, self.row(), now=self.now)).data)

    @operation(
        "Approve a customer's misdirected rewards",
        body=SeenSerializer,
        answer=ApprovedSerializer,
        scope=MONEY,
        description="They are billed like all others. Say `seen_as` as you read it: when the rewards are others by now"
        " this is refused (409).",
    )
    @misdirected_rewards.mapping.post
    def approve_misdirected(self, request: Request, id: str) -> Response:
        seen_as = self.body()["seen_as"]
        count = misdirected.approve(self.access, self.row(), seen_as=seen_as, now=self.now)
        return Response({"approved": count})

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
