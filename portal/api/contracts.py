"""What is agreed with a customer, and what new terms would change."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.db.models import Prefetch, QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from billing import contracts
from billing.models import (
    Basis,
    Contract,
    ContractComponent,
    ContractVersion,
    FeeBearer,
)
from billing.split import WHOLE_PPM
from customers.errors import Refused
from customers.models import Customer
from portal.api.base import Filter, Resource, operation, wrong
from portal.api.fields import (
    Choice,
    Code,
    Day,
    InputSerializer,
    Text,
    WholeNumber,
)

ONE_DAY = timedelta(days=1)
SHARE_HELP = "The provider's share in parts per million: 150000 is 15 %."


BASIS_HELP = "What is shared: net, after the pool's fee, or gross, before it."


MINIMUM_HELP = "In satoshi: a smaller balance is carried to the next month, but at the end. 0: all is issued."


FEE_HELP = "Who bears the pool's fee on a gross basis; on a net basis it is shared."


class ComponentSerializer(serializers.Serializer[ContractComponent]):
    kind = serializers.ChoiceField(choices=ContractComponent.Kind.choices)
    share_ppm = serializers.IntegerField(help_text=SHARE_HELP)
    basis = serializers.ChoiceField(choices=Basis.choices, help_text=BASIS_HELP)
    pool_fee_borne_by = serializers.ChoiceField(choices=FeeBearer.choices, help_text=FEE_HELP)


class VersionSerializer(serializers.Serializer[ContractVersion]):
    valid_from = serializers.DateField(source="valid.lower", help_text="The first day (UTC).")
    valid_to = serializers.SerializerMethodField(help_text="The last day (UTC), inclusive; null: until further notice.")
    settle_in = serializers.ChoiceField(choices=["btc"])
    minimum_sat = serializers.IntegerField(help_text=MINIMUM_HELP)
    components = ComponentSerializer(many=True)

    def get_valid_to(self, version: ContractVersion) -> date | None:
        return None if version.valid.upper is None else version.valid.upper - ONE_DAY


class WithdrawnVersionSerializer(VersionSerializer):
    withdrawn_at = serializers.DateTimeField()
    withdrawn_by = serializers.CharField()


class ContractSerializer(serializers.Serializer[Contract]):
    id = serializers.CharField(source="code")
    customer = serializers.CharField(source="customer.code")
    versions = VersionSerializer(many=True, help_text="The oldest first; their days never overlap.")
    withdrawn_versions = WithdrawnVersionSerializer(
        many=True, source="withdrawn", help_text="Replaced before anything was billed by them: they hold on no day."
    )


class ChangedDaySerializer(serializers.Serializer[contracts.ChangedDay]):
    date = serializers.DateField(source="day")
    rewards = serializers.IntegerField(help_text="How many of that day change.")
    net_sat = serializers.IntegerField(help_text="In satoshi, after the pool's fee.")
    customer_share_before_sat = serializers.IntegerField(
        source="was_sat", allow_null=True, help_text="In satoshi; null: no terms held."
    )
    customer_share_sat = serializers.IntegerField(source="becomes_sat", help_text="In satoshi.")
    difference_sat = serializers.IntegerField(help_text="In satoshi: + the customer would get more.")


class EffectSerializer(serializers.Serializer[contracts.Effect]):
    withdraws = VersionSerializer(many=True, source="withdrawn", help_text="Versions that would be withdrawn.")
    ends = VersionSerializer(allow_null=True, help_text="The version that would end the day before.")
    rewards = serializers.IntegerField(help_text="Rewards that are mined already, and whose split would change.")
    date_from = serializers.DateField(source="first_day", allow_null=True, help_text="The first day of one of them.")
    date_to = serializers.DateField(source="last_day", allow_null=True, help_text="The last day of one of them.")
    difference_sat = serializers.IntegerField(help_text="In satoshi: + the customer would get more, − less.")
    days = ChangedDaySerializer(many=True, help_text="Each day that is mined already and would change.")
    seen_as = serializers.CharField(help_text="Stands for exactly this effect: send it along to agree to just this.")


class NewComponentSerializer(InputSerializer):
    kind = Choice(
        choices=ContractComponent.Kind.choices,
        error_messages={"invalid_choice": 'Components of kind "{input}" are not built yet. Use "revenue_share".'},
    )
    share_ppm = WholeNumber(min_value=0, max_value=WHOLE_PPM, help_text=SHARE_HELP)
    basis = Choice(choices=Basis.choices, help_text=BASIS_HELP)
    pool_fee_borne_by = Choice(choices=FeeBearer.choices, required=False, help_text=FEE_HELP)


class NewVersionSerializer(InputSerializer):
    valid_from = Day(help_text="The first day (UTC) of these terms.")
    settle_in = Choice(
        choices=["btc"],
        error_messages={"invalid_choice": 'Settling in "{input}" is not built yet. Use "btc".'},
    )
    components = NewComponentSerializer(many=True, help_text="Exactly one, a revenue share.")
    minimum_sat = WholeNumber(
        min_value=0, max_value=contracts.LARGEST_MINIMUM_SAT, required=False, help_text=f"{MINIMUM_HELP} Left out: 0."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        # What can not be agreed by itself is 400; what is only in the way of what stands is refused by agree(): 409.
        try:
            contracts.read_terms(attrs["settle_in"], attrs["components"])
        except Refused as refusal:
            raise ValidationError({"components": [str(refusal)]}) from refusal
        return attrs


class SeenVersionSerializer(NewVersionSerializer):
    seen_as = Text(required=False, max_length=64, help_text="As the preview said it: only this effect is agreed to.")


class NewContractSerializer(NewVersionSerializer):
    customer = Code("cus")


class Contracts(ListModelMixin, RetrieveModelMixin, Resource[Contract]):
    resource = "contracts"
    one = "contract"
    model = Contract
    related = ("customer",)
    serializer_class = ContractSerializer
    filters = (Filter("customer", "customer__code", Code, "cus"),)
    enums = {"ComponentKind": ContractComponent.Kind, "Basis": Basis, "FeeBearer": FeeBearer}

    def get_queryset(self) -> QuerySet[Contract]:
        components = ContractComponent.objects.visible_to(self.access).order_by("position")
        versions = ContractVersion.objects.visible_to(self.access).order_by("valid", "pk")
        versions = versions.prefetch_related(Prefetch("components", queryset=components))
        return (
            super()
            .get_queryset()
            .prefetch_related(
                Prefetch("versions", queryset=versions.filter(withdrawn_at__isnull=False), to_attr="withdrawn"),
                Prefetch("versions", queryset=versions.filter(withdrawn_at=None)),
            )
        )

    @operation(
        "Agree a contract",
        body=NewContractSerializer,
        status=201,
        description="A customer has one contract; changed terms are a new version of it.",
    )
    def create(self, request: Request) -> Response:
        asked = self.body()
        customer = Customer.objects.visible_to(self.access).filter(code=asked["customer"]).first()
        if customer is None:
            raise wrong("customer", f"There is no customer {asked['customer']}.")
        contract = contracts.agree(self.access, **{**asked, "customer": customer}, now=self.now)
        return self.answer_anew(contract, located=True)

    @operation(
        "Agree new terms from a day on",
        body=SeenVersionSerializer,
        status=201,
        description="The former version ends the day before. Days that issued documents have billed keep their terms."
        " Versions that were to begin then or later, and that no issued document used, are withdrawn. Where they reach"
        " back the customer is told by mail. With `seen_as` of the preview, another effect by now is refused (409).",
    )
    @action(detail=True, methods=["post"], url_path="versions")
    def add_version(self, request: Request, id: str) -> Response:
        contract = self.row()
        contracts.new_version(self.access, contract, **self.body(), now=self.now)
        return self.answer_anew(contract)

    @operation(
        "What new terms from a day on would do",
        body=NewVersionSerializer,
        answer=EffectSerializer,
        scope="contracts:read",
        description="Which versions they would withdraw, which days that are mined already they would change, and what"
        " that makes for the customer. Nothing is changed.",
    )
    @action(detail=True, methods=["post"], url_path="versions/preview")
    def preview_version(self, request: Request, id: str) -> Response:
        effect = contracts.effect_of(self.access, self.row(), **self.body(), now=self.now)
        return Response(EffectSerializer(effect).data)
