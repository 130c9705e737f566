"""Rewards with their shares, days without one, and quarantined records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from billing import shares
from billing.corrections import Correction, corrections_of
from billing.shares import RewardShare
from customers.models import Customer
from mining.models import QuarantinedRecord, Reward
from mining.models.rewards import Destination, RewardStatus, Settlement
from mining.rewards import settling
from mining.rewards.absent import MOST, Absent, absent
from portal.api.auth import MONEY
from portal.api.base import Filter, Resource, operation, wrong
from portal.api.fields import (
    Choice,
    Code,
    Day,
    Exact,
    InputSerializer,
    OrNull,
    ParameterSerializer,
    QueryFlag,
    Text,
    Words,
)

FLAGS = [
    (shares.NO_CONTRACT, "no terms hold on its day"),
    (shares.SHARE_CAPPED, "the customer's part came out below 0 and was set to 0"),
    (shares.CANCELED, "the pool canceled it"),
    (shares.UNKNOWN_STATUS, "the pool gave a status that is not known"),
    (shares.UNKNOWN_DESTINATION, "the pool gave a destination that is not known"),
    (shares.UNKNOWN_CURRENCY, "not in BTC"),
    (shares.MISSING, "the pool no longer lists it"),
    (shares.MISDIRECTED, "the pool paid it where nobody had agreed to"),
    (shares.TERMS_CHANGED, "other terms reached back over its day: `before` has its parts until then"),
]


@dataclass(frozen=True, slots=True)
class SharedReward:
    reward: Reward
    share: RewardShare
    correction: Correction | None


class BeforeSerializer(serializers.Serializer[shares.Before]):
    changed_at = serializers.DateTimeField(help_text="When the other terms were agreed.")
    provider_share_sat = serializers.IntegerField(help_text="In satoshi.")
    customer_share_sat = serializers.IntegerField(help_text="In satoshi.")


class CorrectionSerializer(serializers.Serializer[Correction]):
    document = serializers.CharField(source="document.code", help_text="The issued one, of the reward's month.")
    document_provider_share_sat = serializers.IntegerField(
        source="was.provider_sat", allow_null=True, help_text="In satoshi, as it says; null: the reward is not on it."
    )
    document_customer_share_sat = serializers.IntegerField(
        source="was.customer_sat", allow_null=True, help_text="In satoshi, as it says."
    )
    provider_share_sat = serializers.IntegerField(
        source="now.provider_sat",
        allow_null=True,
        help_text="In satoshi; 0 where the pool canceled it; null: nobody can say, and nothing is taken back.",
    )
    customer_share_sat = serializers.IntegerField(source="now.customer_sat", allow_null=True, help_text="In satoshi.")
    since = serializers.DateTimeField()
    put_right_on = serializers.CharField(
        source="on.code", allow_null=True, help_text="A later document or draft; null: the next one."
    )


class RewardSerializer(serializers.Serializer[SharedReward]):
    id = serializers.CharField(source="reward.code")
    customer = serializers.CharField(
        source="reward.customer.code", allow_null=True, help_text="null: its account belongs to no customer yet."
    )
    mining_account = serializers.CharField(source="reward.mining_account.code")
    date = serializers.DateField(source="reward.day", help_text="The day in UTC.")
    reward_at = serializers.DateTimeField(source="reward.reward_at", help_text="The moment that the pool gives.")
    occurrence = serializers.IntegerField(
        source="reward.occurrence", help_text="1, 2 …: which record of this account, date and currency."
    )
    currency = serializers.CharField(source="reward.currency")
    total_reward = Exact(
        source="reward.total_raw",
        help_text="Before the pool's fee, in `currency`, with all of its digits.",
    )
    pool_fee = Exact(source="reward.fee_raw", help_text="In `currency`, with all of its digits.")
    net_reward = Exact(
        source="reward.net_raw",
        help_text="After the pool's fee, in `currency`, with all of its digits.",
    )
    fpps_rate = Exact(source="reward.fpps_rate", allow_null=True, help_text="The pool's FPPS rate of the day.")
    hashrate_hs = Exact(source="reward.hashrate_hs", allow_null=True, help_text="Hashes per second (H/s).")
    status = serializers.ChoiceField(
        source="reward.status", choices=RewardStatus.choices, help_text="Only successful rewards are billed."
    )
    payout_destination = serializers.ChoiceField(
        source="reward.payout_destination",
        choices=Destination.choices,
        help_text=(
            "main_balance: the provider holds it. external_address: it was paid to an address, and counts as paid to "
            "the customer."
        ),
    )
    payout_address = serializers.CharField(source="reward.payout_address", allow_null=True)
    transaction_hash = serializers.CharField(source="reward.transaction_hash", allow_null=True)
    paid_at = serializers.DateTimeField(source="reward.paid_at", allow_null=True)
    provider_share_sat = serializers.IntegerField(
        source="share.provider_share_sat", allow_null=True, help_text="The provider's part in satoshi; null: unknown."
    )
    customer_share_sat = serializers.IntegerField(
        source="share.customer_share_sat", allow_null=True, help_text="The customer's part in satoshi; null: unknown."
    )
    flags = serializers.ListField(
        source="share.flags",
        child=serializers.ChoiceField(choices=FLAGS),
        help_text="What is out of the ordinary; empty for most.",
    )
    before = BeforeSerializer(
        source="share.before", allow_null=True, help_text="Its parts before other terms reached back over its day."
    )
    correction = CorrectionSerializer(
        allow_null=True, help_text="What an issued document says otherwise; null: nothing, or none is issued."
    )
    first_seen_at = serializers.DateTimeField(source="reward.first_seen_at")
    changed_at = serializers.DateTimeField(source="reward.changed_at", help_text="When the pool last said otherwise.")


class Rewards(ListModelMixin, RetrieveModelMixin, Resource[Reward]):
    resource = "rewards"
    one = "reward"
    ordered = "newest day first"
    model = Reward
    related = ("customer", "mining_account")
    serializer_class = RewardSerializer
    order = ("-day", "-pk")
    filters = (
        Filter("customer", "customer__code", Code, "cus"),
        Filter("mining_account", "mining_account__code", Code, "acc"),
        Filter("date_from", "day__gte", Day, not_after="date_to", help_text="The first day (UTC) to list."),
        Filter("date_to", "day__lte", Day, help_text="The last day (UTC) to list."),
        Filter("status", "status", serializers.ChoiceField, RewardStatus.choices),
    )
    enums = {"RewardStatus": RewardStatus, "RewardFlag": FLAGS}

    def shown(self, rows: list[Reward]) -> list[SharedReward]:
        parts = shares.shares_of(rows)
        corrections = corrections_of(self.access, rows, parts)
        return [SharedReward(reward, parts[reward.pk], corrections.get(reward.pk)) for reward in rows]


class AbsentSerializer(serializers.Serializer[Absent]):
    customer = serializers.CharField(allow_null=True, help_text="null: its account belongs to no customer yet.")
    mining_account = serializers.CharField(source="account")
    date_from = serializers.DateField(source="first_day", help_text="The first of these days in a row.")
    date_to = serializers.DateField(source="last_day", help_text="The last one.")


class AbsencesSerializer(serializers.Serializer[Any]):
    data = AbsentSerializer(many=True)  # type: ignore[assignment]  # DRF takes declared fields out of the class
    next = serializers.URLField(allow_null=True, help_text=f"Always null: the newest {MOST} are here.")


class AbsentParameters(ParameterSerializer):
    customer = Code("cus", required=False)
    date_from = Day(help_text="The first day (UTC) to look at.")
    date_to = Day(help_text="The last day (UTC) to look at.")


class AbsentRewards(Resource[Reward]):
    resource = "rewards"
    one = "absent reward"
    model = Reward
    serializer_class = AbsencesSerializer

    @operation(
        "Days without a reward",
        query=AbsentParameters,
        description="Of which the pool should list a reward and lists none: it lists one for a day before and for one"
        " after, or the account hashed. What was to be paid is unknown, and not 0.",
    )
    def absent(self, request: Request) -> Response:
        first, last, code = self.asked["date_from"], self.asked["date_to"], self.asked.get("customer")
        if first > last:
            raise wrong("date_from", "This day is after date_to.")
        customers = Customer.objects.visible_to(self.access).filter(code=code) if code else None
        found = absent(
            self.access,
            customers=list(customers.values_list("pk", flat=True)) if customers is not None else None,
            since=first,
            before=min(last, self.now.date()) + timedelta(days=1),
        )
        return Response(AbsencesSerializer({"data": found, "next": None}).data)


SAID = [(choice.value, choice.label) for choice in Settlement if choice != Settlement.TAKEN_IN]


class QuarantinedRecordSerializer(serializers.Serializer[QuarantinedRecord]):
    id = serializers.CharField(source="code")
    credential = serializers.CharField(source="login.name", help_text="The label of the pool key whose login was read.")
    account_name = OrNull(help_text="Of which account at the pool; null: not even that can be told.")
    sync_run = serializers.CharField(source="sync_run.code", help_text="The run that met it first.")
    reason = serializers.CharField(
        help_text="twin: a second record exactly like another one. unmatched: a change that fits none of the records"
        " we have. moved_or_new: a reward that may be another one, dated anew. amount_identity: its amounts do"
        " not add up. Else the field that could not be read."
    )
    raw = serializers.CharField(help_text="The record as the pool wrote it (JSON).")
    date = serializers.DateField(
        source="day", allow_null=True, help_text="The day (UTC) of the reward; null: it is none, or nobody can tell."
    )
    seen_at = serializers.DateTimeField()
    settled_as = serializers.ChoiceField(
        choices=Settlement.choices, allow_null=True, help_text="What it is; null: nobody has settled it yet."
    )
    settled_at = serializers.DateTimeField(allow_null=True)
    settled_by = OrNull()
    note = OrNull()
    reward = serializers.CharField(
        source="reward.code", allow_null=True, help_text="What it became, or which one it is."
    )
    choices = serializers.SerializerMethodField(help_text="What a person can say that it is.")
    may_be = serializers.SerializerMethodField(help_text="The rewards that it may be, or is exactly like.")

    @extend_schema_field(serializers.ListField(child=serializers.ChoiceField(choices=Settlement.choices)))
    def get_choices(self, record: QuarantinedRecord) -> list[str]:
        return [] if record.settled_at else [choice.value for choice in settling.choices(record)]

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_may_be(self, record: QuarantinedRecord) -> list[str]:
        return [reward.code for reward in self.context["may_be"][record.pk]]

    def to_representation(self, record: QuarantinedRecord) -> dict[str, Any]:
        return {**super().to_representation(record), "settled_as": record.settled_as or None}


class SettleSerializer(InputSerializer):
    decision = Choice(
        choices=SAID,
        help_text="another: a reward of its own, taken in. same: one that we have (a twin is then dismissed; else what"
        " we have follows the record). dismissed: none, for good. read_again: it can be read by now.",
    )
    reward = Code("rwd", required=False, help_text="Which one of `may_be` it is, when there are several.")
    note = Words(max_length=settling.LONGEST_NOTE, help_text="Why, for whoever asks later.")


def settled(records: QuerySet[QuarantinedRecord], is_settled: bool, _: datetime) -> QuerySet[QuarantinedRecord]:
    return records.filter(settled_at__isnull=not is_settled)


class QuarantinedRecords(ListModelMixin, RetrieveModelMixin, Resource[QuarantinedRecord]):
    resource = "quarantined-records"
    one = "quarantined record"
    about = "Records of the pool that were not taken in: a person has to look at each, and settles it."
    model = QuarantinedRecord
    related = ("sync_run", "login", "reward")
    serializer_class = QuarantinedRecordSerializer
    filters = (
        Filter("credential", "login__name", Words, max_length=64, help_text="The label of the pool key."),
        Filter("account_name", "account_name", Text, max_length=255, help_text="The account's name at the pool."),
        Filter("reason", "reason", Text, max_length=64),
        Filter("settled", settled, QueryFlag, help_text="false: only those that wait for a person."),
    )
    enums = {"QuarantineSettlement": Settlement, "QuarantineDecision": SAID}
    may_be: dict[int, list[Reward]]

    def shown(self, rows: list[QuarantinedRecord]) -> list[QuarantinedRecord]:
        self.may_be = settling.candidates(self.access, [row for row in rows if row.settled_at is None])
        return rows

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "may_be": self.may_be}

    @operation(
        "Settle a record",
        body=SettleSerializer,
        scope=MONEY,
        description="Say what it is, once and for good: the same record asks nobody again. Saying the same again"
        " changes nothing; saying something else is refused (409).",
    )
    @action(detail=True, methods=["post"])
    def settle(self, request: Request, id: str) -> Response:
        said, record = self.body(), self.get_object()
        reward = None
        if "reward" in said:
            reward = Reward.objects.visible_to(self.access).filter(code=said["reward"]).first()
            if reward is None:
                raise wrong("reward", f"There is no reward {said['reward']}.")
        record = settling.settle(
            self.access,
            record,
            decision=Settlement(said["decision"]),
            note=said["note"],
            reward=reward,
            now=self.now,
        )
        return self.answer_anew(record)
