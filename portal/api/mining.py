"""What the pool says: mining accounts, rewards, sync runs, and the keys that open it (never their secrets)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import QuerySet, prefetch_related_objects
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_variables
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
from mining import planner, queries, runs
from mining.fleet import expected
from mining.fleet.expected import LONGEST_SITE
from mining.fleet.hashrate import KINDS
from mining.keys import health as key_health
from mining.keys import logins
from mining.keys import store as key_store
from mining.models import Credential, HashratePoint, MiningAccount, QuarantinedRecord, Reward, SyncRun
from mining.models.fleet import Point
from mining.models.rewards import Destination, RewardStatus, Settlement
from mining.models.runs import Subject
from mining.payouts import agreements
from mining.pool.rights import ACTING, ENDPOINTS
from mining.rewards import settling
from mining.rewards.absent import MOST, Absent, absent
from portal.api.auth import MONEY
from portal.api.base import Filter, Resource, operation, wrong
from portal.api.customers import CustomerAccountSerializer
from portal.api.fields import (
    Choice,
    Code,
    Day,
    Exact,
    Flag,
    InputSerializer,
    NothingSerializer,
    OrNull,
    ParameterSerializer,
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

# --- Mining accounts


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


# --- Hashrate


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


# --- Rewards

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


# --- Records that were not taken in

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
        help_text="another: a reward of its own, taken in. same: one that we have (a twin is then put aside; else what"
        " we have follows the record). put_aside: none, for good. read_again: it can be read by now.",
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


# --- Sync runs


class SyncRunSerializer(serializers.Serializer[SyncRun]):
    id = serializers.CharField(source="code")
    credential = serializers.CharField(source="login.name", help_text="The label of the pool key whose login is read.")
    mining_account = serializers.SerializerMethodField(
        help_text="null: the run reads all accounts of the login. Runs for one account are not made yet."
    )
    subject = serializers.ChoiceField(choices=Subject.choices, help_text="What is read. key: a key is verified.")
    state = serializers.ChoiceField(
        choices=SyncRun.State.choices,
        help_text="queued: no worker has taken it yet. partial: done, but some records could not be taken in.",
    )
    queued_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    calls = serializers.IntegerField(help_text="Calls made to the pool.")
    rows_new = serializers.IntegerField()
    rows_changed = serializers.IntegerField()
    quarantined = serializers.IntegerField(help_text="Records quarantined for a person to look at.")
    unread_fields = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="By subject and field: values of no weight for identity or money (a time of payment, a rate, a hash)"
        " that could not be read and were left empty. Their records count.",
    )
    error = OrNull(help_text="What went wrong, in a sentence; null: nothing.")

    def get_mining_account(self, run: SyncRun) -> str | None:
        return None


class NewSyncSerializer(InputSerializer):
    only = Choice(
        choices=[(subject.value, subject.label) for subject in runs.SUBJECTS],
        required=False,
        help_text="Read only this subject; left out: all.",
    )


class OpenRunsSerializer(serializers.Serializer[Any]):
    data = SyncRunSerializer(many=True)  # type: ignore[assignment]  # DRF takes declared fields out of the class
    next = serializers.URLField(allow_null=True, help_text="Always null: all runs are here.")


class SyncRuns(ListModelMixin, RetrieveModelMixin, Resource[SyncRun]):
    resource = "sync-runs"
    one = "sync run"
    model = SyncRun
    about = "Those of the last 30 days; longer the last of each kind, and those that brought something."
    related = ("login",)
    serializer_class = SyncRunSerializer
    filters = (
        Filter("credential", "login__name", Words, max_length=64, help_text="The label of the pool key."),
        Filter("subject", "subject", serializers.ChoiceField, Subject.choices),
        Filter("state", "state", serializers.ChoiceField, SyncRun.State.choices),
    )
    enums = {"SyncRunState": SyncRun.State, "SyncSubject": Subject}

    @operation(
        "Read the pool now",
        body=NewSyncSerializer,
        status=202,
        answer=OpenRunsSerializer,
        description="Queues a run for each login and subject. A run that is open already is answered, not doubled.",
    )
    def create(self, request: Request) -> Response:
        only = self.body().get("only")
        queued = planner.request_sync(self.access, only=Subject(only) if only else None, now=self.now)
        prefetch_related_objects(queued, "login")
        return Response({"data": self.get_serializer(queued, many=True).data, "next": None}, status=202)


# --- Credentials

RIGHT_HELP = "true: the pool lets the key use it; false: it does not; null: not known."


class KeyHealthSerializer(serializers.Serializer[key_health.Health]):
    level = serializers.ChoiceField(
        choices=[(level.value, level.value) for level in key_health.Level],
        help_text="warn: no answer for 3 days. alarm: 7; the pool switches a key off after 14. unknown: not in use.",
    )
    days_left = serializers.IntegerField(
        allow_null=True, help_text="Days until the pool switches the key off; null: not known."
    )
    sentence = serializers.CharField()


class CredentialSerializer(serializers.Serializer[Credential]):
    """A pool key as it may be shown. The key itself and its secret are sealed, and are in no answer."""

    id = serializers.CharField(source="code")
    label = serializers.CharField(  # type: ignore[assignment]  # DRF takes declared fields out of the class
        source="login.name", help_text="Names the WhiteBIT user. Keys under one label replace each other."
    )
    key_hint = serializers.CharField(help_text="The last characters of the API key, to tell keys apart.")
    state = serializers.ChoiceField(
        choices=Credential.State.choices,
        help_text="checking: a worker has not verified it yet. refused: the pool refused it.",
    )
    created_at = serializers.DateTimeField()
    verified_at = serializers.DateTimeField(allow_null=True)
    last_success_at = serializers.DateTimeField(
        allow_null=True, help_text="To within an hour: the pool's last answer came then, or up to an hour later."
    )
    accounts_seen = serializers.IntegerField(
        allow_null=True, help_text="How many mining accounts the key saw when it was verified; null: not verified."
    )
    rights = serializers.SerializerMethodField(help_text=f"By endpoint of the pool. {RIGHT_HELP}")
    used_on = serializers.SerializerMethodField(
        help_text="By endpoint that acts: the last day (UTC) on which the pool did it with this key, as far as no"
        " verification has told more since; null: not known. The right can have been taken away since."
    )
    health = serializers.SerializerMethodField()
    problem = OrNull(help_text="What a person has to do; null: nothing.")

    @extend_schema_field(serializers.DictField(child=serializers.BooleanField(allow_null=True)))
    def get_rights(self, credential: Credential) -> dict[str, bool | None]:
        told = {endpoint: credential.endpoints.get(endpoint) for endpoint in ENDPOINTS}
        return {endpoint: may if isinstance(may, bool) else None for endpoint, may in told.items()}

    @extend_schema_field(serializers.DictField(child=serializers.DateField(allow_null=True)))
    def get_used_on(self, credential: Credential) -> dict[str, str | None]:
        told = {endpoint: credential.endpoints.get(endpoint) for endpoint in ACTING}
        return {endpoint: day if isinstance(day, str) else None for endpoint, day in told.items()}

    @extend_schema_field(KeyHealthSerializer)
    def get_health(self, credential: Credential) -> dict[str, Any]:
        return dict(KeyHealthSerializer(key_health.health(credential, self.context["now"])).data)


class NewCredentialSerializer(InputSerializer):
    label = Words(  # type: ignore[assignment]  # DRF takes declared fields out of the class
        max_length=64,
        help_text="Names the WhiteBIT user. A key under the same label, however its capitals are written, is replaced"
        " once this one works.",
    )
    api_key = Text(max_length=256, help_text="Sealed at once.")
    secret = Text(max_length=256, help_text="Sealed at once, and in no answer.")


class CredentialChangesSerializer(InputSerializer):
    label = Words(  # type: ignore[assignment]  # DRF takes declared fields out of the class
        max_length=64, help_text="The WhiteBIT user's new name."
    )


class WithdrawalSerializer(InputSerializer):
    in_use_confirmed = Flag(
        required=False, default=False, help_text="true: it is known that reading with an active key ends."
    )


class Credentials(ListModelMixin, RetrieveModelMixin, Resource[Credential]):
    resource = "credentials"
    one = "pool key"
    model = Credential
    related = ("login",)
    serializer_class = CredentialSerializer
    filters = (
        Filter("label", "login__name", Words, max_length=64),
        Filter("state", "state", serializers.ChoiceField, Credential.State.choices),
    )
    enums = {"CredentialState": Credential.State}

    @operation(
        "Store a pool key",
        body=NewCredentialSerializer,
        status=202,
        description="A worker tries it at the pool: read it again until its state is active, or refused with a problem."
        " It takes over from the key under the same label only when it works, so there is no gap.",
    )
    # What was pasted must stay out of error reports.
    @method_decorator(sensitive_variables("asked"))
    def create(self, request: Request) -> Response:
        asked = self.body()
        credential = key_store.paste_key(
            self.access, login_name=asked["label"], api_key=asked["api_key"], secret=asked["secret"], now=self.now
        )
        return self.answer(credential, located=True)

    @operation(
        "Rename a pool key's WhiteBIT user",
        body=CredentialChangesSerializer,
        description="All keys and mining accounts of the same label carry the new one from then on, and nothing else"
        " changes. A label that another WhiteBIT user has, however its capitals are written, is refused with 409.",
    )
    def partial_update(self, request: Request, id: str) -> Response:
        credential, asked = self.row(), self.body()
        if "label" not in asked:
            raise wrong("label", "This field is required.")
        logins.rename_login(self.access, credential.login, asked["label"], now=self.now)
        return self.answer(credential)

    @operation(
        "Try a pool key again",
        body=NothingSerializer,
        status=202,
        description="A worker tries it at the pool, for instance after it was mended there. A refused key is checking"
        " until then: read it again. One that works stays active meanwhile. While a key under the same label is tried,"
        " and for a minute from the beginning of that, asking is answered with 409, and `Retry-After` says when it may"
        " be tried again.",
    )
    @action(detail=True, methods=["post"])
    def verify(self, request: Request, id: str) -> Response:
        self.body()
        credential = self.row()
        key_store.ask_verification(self.access, credential, now=self.now)
        return self.answer(credential, located=True)

    @operation(
        "Throw a pool key away",
        body=WithdrawalSerializer,
        description="It is erased here; at WhiteBIT it stays. Without another key of the same label its accounts are"
        " read no more.",
    )
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, id: str) -> Response:
        confirmed, credential = self.body()["in_use_confirmed"], self.row()
        key_store.withdraw(self.access, credential, in_use_confirmed=confirmed, now=self.now)
        return self.answer_anew(credential)
