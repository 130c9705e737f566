"""Mining accounts and their hashrate, as the pool says them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from mining import queries
from mining.fleet import expected
from mining.fleet.expected import LONGEST_SITE
from mining.fleet.hashrate import KINDS
from mining.models import HashratePoint, MiningAccount
from mining.models.fleet import Point
from mining.models.rewards import Destination
from mining.payouts import agreements
from portal.api.auth import MONEY
from portal.api.base import Filter, Resource, operation, wrong
from portal.api.customers import CustomerAccountSerializer
from portal.api.fields import (
    Choice,
    Code,
    Day,
    Exact,
    InputSerializer,
    NothingSerializer,
    QueryFlag,
    Text,
    Words,
)

INTERVALS = [
    ("5m", "the average of five minutes; kept for 30 days"),
    ("1h", "the average of an hour; kept for 13 months"),
    ("24h", "the average of a UTC day; kept for ever"),
]


SITE_HELP = "The hall or site where its machines stand: exclusions of the site are theirs. Empty: none is named."


POINTS: dict[str, type[Point]] = {kind.interval: kind.model for kind in KINDS}


INTERVAL_OF = {model: interval for interval, model in POINTS.items()}


class MiningAccountSerializer(CustomerAccountSerializer):
    customer = serializers.CharField(
        source="customer.code", allow_null=True, help_text="null: an account that belongs to no customer yet."
    )
    site = serializers.CharField(help_text=SITE_HELP)


class MiningAccountChangesSerializer(InputSerializer):
    site = Text(allow_blank=True, max_length=LONGEST_SITE, help_text=SITE_HELP)


class SeenDestinationSerializer(InputSerializer):
    payout_destination = Choice(choices=Destination.choices, help_text="As you read it of this account.")
    payout_address = Text(required=False, allow_null=True, max_length=128, help_text="As you read it of this account.")


class MiningAccounts(ListModelMixin, RetrieveModelMixin, Resource[MiningAccount]):
    resource = "mining-accounts"
    one = "mining account"
    about = "Accounts at the pool that belong to no customer yet are listed too."
    model = MiningAccount
    related = ("customer", "login")
    serializer_class = MiningAccountSerializer
    filters = (
        Filter("customer", "customer__code", Code, "cus"),
        Filter("credential", "login__name", Words, max_length=64, help_text="The label of the pool key."),
        Filter("state", "state", serializers.ChoiceField, MiningAccount.State.choices),
        Filter(
            "unassigned",
            "customer__isnull",
            QueryFlag,
            help_text="true: only accounts without a customer; false: only those with.",
        ),
    )
    enums = {"MiningAccountState": MiningAccount.State, "PayoutDestination": Destination}

    @operation("Say where an account's machines stand", body=MiningAccountChangesSerializer)
    def partial_update(self, request: Request, id: str) -> Response:
        account, asked = self.row(), self.body()
        if "site" not in asked:
            raise wrong("site", "This field is required.")
        expected.set_site(self.access, account, site=asked["site"], now=self.now)
        return self.answer_anew(account)

    @operation(
        "Agree to where the pool pays now",
        body=SeenDestinationSerializer,
        scope=MONEY,
        description="Say what you read: what has changed since is refused (409). The customer's documents are then no"
        " longer held for it; rewards that were paid there before still are, until they are approved.",
    )
    @action(detail=True, methods=["post"], url_path="accept-payout")
    def accept_payout(self, request: Request, id: str) -> Response:
        seen = self.body()
        account = self.row()
        agreements.accept(
            self.access,
            account,
            destination=seen["payout_destination"],
            address=seen.get("payout_address"),
            now=self.now,
        )
        return self.answer_anew(account)

    @operation(
        "End the alarm of an account that the pool does not answer for",
        body=NothingSerializer,
        scope=MONEY,
        description="For one that is not listed any more: no reading can end its drift. Nothing is agreed by it.",
    )
    @action(detail=True, methods=["post"], url_path="end-payout-alarm")
    def end_payout_alarm(self, request: Request, id: str) -> Response:
        self.body()
        account = self.row()
        agreements.end_alarm(self.access, account, now=self.now)
        return self.answer_anew(account)


class HashrateSerializer(serializers.Serializer[Point]):
    mining_account = serializers.CharField(source="mining_account.code")
    at = serializers.DateTimeField(help_text="When the interval began. One without a point is unknown, not 0.")
    interval = serializers.SerializerMethodField()
    hashrate_ths = Exact(help_text="The interval's average in TH/s.")
    reject_rate = Exact(allow_null=True, help_text="0.01 is 1 %; null: not known.")

    @extend_schema_field(serializers.ChoiceField(choices=INTERVALS))
    def get_interval(self, point: Point) -> str:
        return INTERVAL_OF[type(point)]


def from_day(points: QuerySet[Point], day: date, _: datetime) -> QuerySet[Point]:
    return points.filter(at__gte=datetime.combine(day, time.min, UTC))


def to_day(points: QuerySet[Point], day: date, _: datetime) -> QuerySet[Point]:
    return points.filter(at__lt=datetime.combine(day, time.min, UTC) + timedelta(days=1))


class Hashrate(ListModelMixin, Resource[Point]):
    """The account has to be named: within it a moment names a point, which has no code."""

    resource = "hashrate"
    one = "hashrate point"
    about = "Of one mining account, as the pool told them. No interval is made up from another."
    model = HashratePoint
    related = ("mining_account",)
    serializer_class = HashrateSerializer
    order = ("-at",)
    row_name = "at"
    filters = (
        Filter("interval", lambda points, *_: points, serializers.ChoiceField, INTERVALS, help_text="Left out: 1h."),
        Filter("from", from_day, Day, not_after="to", help_text="The first day (UTC) to list."),
        Filter("to", to_day, Day, help_text="The last day (UTC) to list."),
        Filter("mining_account", lambda points, *_: points, Code, "acc", required=True),
    )
    enums = {"HashrateInterval": INTERVALS}

    def visible(self) -> QuerySet[Point]:
        rows: QuerySet[Point] = POINTS[self.asked.get("interval", "1h")].objects.visible_to(self.access)
        return rows

    def get_queryset(self) -> QuerySet[Point]:
        return super().get_queryset().filter(mining_account__code=self.asked["mining_account"])


class TotalHourSerializer(serializers.Serializer[queries.Hour]):
    at = serializers.DateTimeField(help_text="When the hour began.")
    hashrate_ths = Exact(allow_null=True, help_text="The sum in TH/s of the accounts that are known; null: of none.")
    accounts = serializers.IntegerField(help_text="How many accounts are in the sum.")
    missing = serializers.IntegerField(
        help_text="How many more there were that nobody knows of: above 0 the sum is a least, and no fall."
    )


class HashrateTotalSerializer(serializers.Serializer[Any]):
    data = TotalHourSerializer(many=True)  # type: ignore[assignment]  # DRF takes declared fields out of the class
    next = serializers.URLField(allow_null=True, help_text="Always null: all hours are here.")


class HashrateTotal(Resource[HashratePoint]):
    resource = "hashrate"
    one = "hour of all accounts"
    model = HashratePoint
    serializer_class = HashrateTotalSerializer

    @operation(
        "The hashrate of all accounts together",
        description="Each hour of the last 7 days, oldest first; the running one is the last. An account that could not"
        " be read is in no sum: `missing` tells how many.",
    )
    def total(self, request: Request) -> Response:
        hours = queries.total_series(self.access, now=self.now)
        return Response(HashrateTotalSerializer({"data": hours, "next": None}).data)
