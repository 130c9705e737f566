"""The fleet: workers, uptime with its evidence, and the times that count for and against nobody."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

from django.db.models import F, Q, QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from customers.models import Customer
from mining.fleet import exclusions, expected, roster, states
from mining.fleet.evidence import Report, Stop, report
from mining.fleet.exclusions import LONGEST_NOTE, Change, Effect
from mining.fleet.expected import LONGEST_SITE
from mining.fleet.states import State, WorkerNow
from mining.fleet.uptime import Uptime
from mining.models import Exclusion, MiningAccount, Worker
from portal.api.base import Filter, Resource, operation, wrong
from portal.api.fields import (
    Choice,
    Code,
    Day,
    InputSerializer,
    Moment,
    Month,
    NothingSerializer,
    ParameterSerializer,
    QueryFlag,
    Text,
    Words,
)

LONGEST_REPORT = 92  # days


class WithFrom:
    """For serializers with a field `from`, which is a word of Python."""

    def get_fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = super().get_fields()  # type: ignore[misc]  # of the serializer beside it
        return {"from" if name == "from_" else name: field for name, field in fields.items()}


# --- Workers

WORKER_STATES = [
    (State.UP.value, "in the pool's list"),
    (State.DOWN.value, "missing from it"),
    (State.EXCLUDED.value, "in a window that counts for and against nobody"),
    (State.UNKNOWN.value, "not read of late, or the list and the counts disagree"),
    (State.RETIRED.value, "out of every count until it is heard again"),
]
SITE_HELP = "Exclusions of a site are its. Empty: that of its mining account."


class WorkerSerializer(serializers.Serializer[WorkerNow]):
    id = serializers.CharField(source="worker.code")
    mining_account = serializers.CharField(source="worker.mining_account.code")
    customer = serializers.CharField(
        source="worker.customer.code", allow_null=True, help_text="null: its account belongs to no customer yet."
    )
    name = serializers.CharField(source="worker.name", help_text="Exactly as the pool writes it.")
    site = serializers.CharField(source="worker.site", help_text=SITE_HELP)
    state = serializers.ChoiceField(
        choices=WORKER_STATES, help_text="Never low: the pool counts those that are, and names none of them."
    )
    since = serializers.DateTimeField(
        allow_null=True, help_text="Of an unknown one: when it was last read. null: never."
    )
    since_not_before = serializers.DateTimeField(
        source="not_before", allow_null=True, help_text="The change lies after this, and at `since` at the latest."
    )
    first_seen_at = serializers.DateTimeField(source="worker.first_seen_at")
    last_seen_at = serializers.DateTimeField()
    retired_at = serializers.DateTimeField(source="worker.retired_at", allow_null=True)
    exclusion = serializers.CharField(source="exclusion.code", allow_null=True, help_text="The window that it is in.")


class WorkerChangesSerializer(InputSerializer):
    site = Text(allow_blank=True, max_length=LONGEST_SITE, help_text=SITE_HELP)


def is_retired(workers: QuerySet[Worker], retired: bool, _: datetime) -> QuerySet[Worker]:
    return workers.filter(retired_at__isnull=not retired)


def of_site(workers: QuerySet[Worker], site: str, _: datetime) -> QuerySet[Worker]:
    return workers.filter(Q(site=site) | Q(site="", mining_account__site=site))


class Workers(ListModelMixin, RetrieveModelMixin, Resource[Worker]):
    resource = "workers"
    one = "worker"
    about = "Every machine that the pool ever named, with what it is now; retired ones too, unless you ask otherwise."
    ordered = "the newest name first"
    model = Worker
    related = ("mining_account", "customer")
    serializer_class = WorkerSerializer
    filters = (
        Filter("mining_account", "mining_account__code", Code, "acc"),
        Filter("customer", "customer__code", Code, "cus"),
        Filter("name", "name", Text, max_length=255, help_text="Exactly, capitals too."),
        Filter("site", of_site, Text, max_length=LONGEST_SITE),
        Filter("retired", is_retired, QueryFlag),
    )
    enums = {"WorkerState": WORKER_STATES}

    def shown(self, rows: list[Worker]) -> list[WorkerNow]:
        accounts = {row.mining_account_id: row.mining_account for row in rows}
        found = states.worker_states(self.access, rows, accounts, now=self.now)
        return [found[row.pk] for row in rows]

    @operation("Say where a worker stands", body=WorkerChangesSerializer)
    def partial_update(self, request: Request, id: str) -> Response:
        worker, asked = self.row(), self.body()
        if "site" not in asked:
            raise wrong("site", "This field is required.")
        expected.set_worker_site(self.access, worker, site=asked["site"], now=self.now)
        return self.answer_anew(worker)

    @operation(
        "Retire a worker",
        body=NothingSerializer,
        description="Out of every count until the pool lists it again. Only one that is down; one that is retired stays"
        " so.",
    )
    @action(detail=True, methods=["post"])
    def retire(self, request: Request, id: str) -> Response:
        self.body()
        worker = self.row()
        roster.retire(self.access, worker, now=self.now)
        return self.answer_anew(worker)


# --- Uptime

STOP_STATES = [
    (State.DOWN.value, "expected and not hashing"),
    (State.LOW.value, "hashing low"),
    (State.EXCLUDED.value, "in a window that counts for and against nobody"),
    (State.UNKNOWN.value, "not read"),
]
SHARE_HELP = "up ÷ (up + low + down), 0 to 1, cut after six decimals. null: nothing counted."


def six_places(share: Fraction | None) -> str | None:
    return None if share is None else f"{int(share * 1_000_000) / 1_000_000:.6f}"


class SecondsSerializer(serializers.Serializer[Uptime]):
    """Worker-seconds: five of one second, or one of five."""

    expected_s = serializers.IntegerField(help_text="The sum of the five below.")
    up_s = serializers.IntegerField()
    low_s = serializers.IntegerField()
    down_s = serializers.IntegerField()
    excluded_s = serializers.IntegerField()
    unknown_s = serializers.IntegerField()
    up_least_s = serializers.IntegerField(help_text="At the least, by the moments between the readings.")
    up_most_s = serializers.IntegerField()
    share = serializers.SerializerMethodField(help_text=SHARE_HELP)

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_share(self, uptime: Uptime) -> str | None:
        return six_places(uptime.share())


class StopSerializer(WithFrom, serializers.Serializer[Stop]):
    state = serializers.ChoiceField(choices=STOP_STATES)
    from_ = serializers.DateTimeField(source="from_at")
    until = serializers.DateTimeField(source="until_at")
    workers = serializers.IntegerField(help_text="How many were so, by the pool's counts.")
    worker_seconds = serializers.IntegerField()
    exclusions = serializers.SerializerMethodField(help_text="Ids of the windows.")
    reasons = serializers.SerializerMethodField()
    machines = serializers.ListField(
        child=serializers.CharField(), help_text="The first 20 that the pool's lists left out meanwhile."
    )

    def get_exclusions(self, stop: Stop) -> list[str]:
        return [row.code for row in stop.exclusions]

    def get_reasons(self, stop: Stop) -> list[str]:
        return [row.reason for row in stop.exclusions]


class UptimeSerializer(serializers.Serializer[Report]):
    mining_account = serializers.CharField(source="account.code")
    customer = serializers.CharField(source="account.customer.code", allow_null=True)
    first_day = serializers.DateField(source="first")
    last_day = serializers.DateField(source="last")
    is_over = serializers.BooleanField(help_text="false: as far as it has come.")
    total = SecondsSerializer(help_text="By the pool's counts: what uptime rests on.")
    by_names = SecondsSerializer(help_text="By the names in the pool's lists: which machine it was. Never mixed.")
    days = serializers.SerializerMethodField(help_text="By UTC day. One before the account was here has no entry.")
    evidence = serializers.SerializerMethodField(
        help_text="Every time in which not all were up, newest first. The sums are those of `total`."
    )

    @extend_schema_field(serializers.DictField(child=SecondsSerializer()))
    def get_days(self, told: Report) -> dict[str, Any]:
        return {day.isoformat(): SecondsSerializer(uptime).data for day, uptime in told.days.items()}

    @extend_schema_field(StopSerializer(many=True))
    def get_evidence(self, told: Report) -> list[Any]:
        return [StopSerializer(stop).data for stop in told.evidence.stops]


class UptimeQuery(WithFrom, ParameterSerializer):
    mining_account = Code("acc", required=False)
    customer = Code("cus", required=False, help_text="Its mining account is meant. One of the two is needed.")
    month = Month(required=False, help_text="A whole month (UTC); or the days below.")
    from_ = Day(required=False, help_text="The first day (UTC).")
    to = Day(required=False, help_text=f"The last day (UTC), at most {LONGEST_REPORT} days from the first.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("mining_account" in attrs) == ("customer" in attrs):
            raise ValidationError({"mining_account": ["Name a mining account or a customer."]})
        if ("month" in attrs) == ("from" in attrs) or ("from" in attrs) != ("to" in attrs):
            raise ValidationError({"month": ["Name a month, or the first and the last day."]})
        if "from" in attrs and not timedelta() <= attrs["to"] - attrs["from"] < timedelta(days=LONGEST_REPORT):
            raise ValidationError({"to": [f"From the first to the last day it is 1 to {LONGEST_REPORT} days."]})
        return attrs


class UptimeOf(Resource[MiningAccount]):
    resource = "uptime"
    one = "uptime"
    model = MiningAccount
    related = ("customer",)
    serializer_class = UptimeSerializer
    enums = {"StopState": STOP_STATES}

    @operation(
        "Uptime of an account, with its evidence",
        query=UptimeQuery,
        description="Worker-seconds that were up, low, down, excluded or unknown. Excluded and unknown time counts for"
        " and against nobody.",
    )
    def show(self, request: Request) -> Response:
        first, last = self._days()
        told = report(self.access, self._account(), first=first, last=last, now=self.now)
        return Response(UptimeSerializer(told).data)

    def _account(self) -> MiningAccount:
        by = (
            {"code": self.asked["mining_account"]}
            if "mining_account" in self.asked
            else {"customer__code": self.asked["customer"]}
        )
        account = self.get_queryset().filter(**by).first()
        if account is None:
            raise Http404
        return account

    def _days(self) -> tuple[date, date]:
        if "month" not in self.asked:
            return self.asked["from"], self.asked["to"]
        month: date = self.asked["month"]
        return month, (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)


# --- Exclusions

RUNNING, PLANNED, PAST, WITHDRAWN = "running", "planned", "past", "withdrawn"
EXCLUSION_STATES = [
    (RUNNING, "it has begun and not ended"),
    (PLANNED, "it has not begun"),
    (PAST, "it is over"),
    (WITHDRAWN, "taken back before it began to count"),
]


def state_of(exclusion: Exclusion, now: datetime) -> str:
    if exclusion.until_at == exclusion.from_at:
        return WITHDRAWN
    if exclusion.from_at > now:
        return PLANNED
    return PAST if exclusion.until_at is not None and exclusion.until_at <= now else RUNNING


def in_state(rows: QuerySet[Exclusion], state: str, now: datetime) -> QuerySet[Exclusion]:
    withdrawn = Q(until_at=F("from_at"))
    if state == WITHDRAWN:
        return rows.filter(withdrawn)
    over = Q(until_at__lte=now)
    rows = rows.exclude(withdrawn)
    return {
        PLANNED: rows.filter(from_at__gt=now),
        PAST: rows.filter(over, from_at__lte=now),
        RUNNING: rows.filter(from_at__lte=now).exclude(over),
    }[state]


class ExclusionSerializer(WithFrom, serializers.Serializer[Exclusion]):
    id = serializers.CharField(source="code")
    state = serializers.SerializerMethodField()
    customer = serializers.CharField(source="customer.code", allow_null=True)
    worker = serializers.CharField(source="worker.code", allow_null=True)
    site = serializers.CharField(help_text="Empty, with neither customer nor worker: all that the provider hosts.")
    from_ = serializers.DateTimeField(source="from_at")
    until = serializers.DateTimeField(source="until_at", allow_null=True, help_text="null: until it is ended.")
    reason = serializers.ChoiceField(choices=Exclusion.Reason.choices)
    note = serializers.CharField(help_text="Customers read it.")
    entered_by = serializers.CharField()
    entered_at = serializers.DateTimeField()

    @extend_schema_field(serializers.ChoiceField(choices=EXCLUSION_STATES))
    def get_state(self, exclusion: Exclusion) -> str:
        return state_of(exclusion, self.context["now"])


class NewExclusionSerializer(WithFrom, InputSerializer):
    customer = Code("cus", required=False, help_text="All of one customer's machines.")
    worker = Code("wrk", required=False, help_text="One machine.")
    site = Words(required=False, max_length=LONGEST_SITE, help_text="All machines of a site. None of the three: all.")
    from_ = Moment(help_text="In the past or the future.")
    until = Moment(required=False, allow_null=True, help_text="Left out or null: until it is ended.")
    reason = Choice(choices=Exclusion.Reason.choices)
    note = Words(required=False, max_length=LONGEST_NOTE, help_text="Customers read it.")


class ExclusionChangesSerializer(InputSerializer):
    until = Moment(allow_null=True, help_text="Earlier or later; null: until it is ended; its beginning: it never was.")


class UptimeChangeSerializer(serializers.Serializer[Change]):
    mining_account = serializers.CharField(source="account.code")
    customer = serializers.CharField(source="account.customer.code", allow_null=True)
    month = serializers.SerializerMethodField()
    excluded_s = serializers.SerializerMethodField(help_text="Worker-seconds that it excludes in this month so far.")
    share_before = serializers.SerializerMethodField(help_text=SHARE_HELP)
    share_after = serializers.SerializerMethodField(help_text=SHARE_HELP)

    def get_month(self, change: Change) -> str:
        return f"{change.month:%Y-%m}"

    def get_excluded_s(self, change: Change) -> int:
        return change.after.excluded_s - change.before.excluded_s

    def get_share_before(self, change: Change) -> str | None:
        return six_places(change.before.share())

    def get_share_after(self, change: Change) -> str | None:
        return six_places(change.after.share())


class ExclusionEffectSerializer(serializers.Serializer[Effect]):
    mining_accounts = serializers.IntegerField(source="accounts")
    workers = serializers.IntegerField(help_text="Of today's roster.")
    taken_out_s = serializers.IntegerField(help_text="Worker-seconds that counted so far and would no longer.")
    changes = UptimeChangeSerializer(
        many=True, allow_null=True, help_text="The largest first; null: too many to work out while you wait."
    )


class Exclusions(ListModelMixin, RetrieveModelMixin, Resource[Exclusion]):
    resource = "exclusions"
    one = "exclusion"
    about = "Times that count for and against nobody: of a worker, a customer, a site, or all."
    model = Exclusion
    related = ("customer", "worker")
    serializer_class = ExclusionSerializer
    order = ("-from_at", "-pk")
    filters = (
        Filter("state", in_state, serializers.ChoiceField, EXCLUSION_STATES),
        Filter("customer", "customer__code", Code, "cus"),
        Filter("site", "site", Text, max_length=LONGEST_SITE),
    )
    enums = {"ExclusionState": EXCLUSION_STATES, "ExclusionReason": Exclusion.Reason}

    def visible(self) -> QuerySet[Exclusion]:
        return Exclusion.objects.visible_to(self.access)

    @operation(
        "Exclude a time",
        body=NewExclusionSerializer,
        status=201,
        description="It changes the uptime of the days that it covers, also of past ones.",
    )
    def create(self, request: Request) -> Response:
        entered = exclusions.enter(self.access, **self._window(), now=self.now)
        return self.answer(entered, located=True)

    @operation(
        "Say what excluding a time would change",
        body=NewExclusionSerializer,
        answer=ExclusionEffectSerializer,
        description="Nothing is entered.",
    )
    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        return Response(ExclusionEffectSerializer(exclusions.effect(self.access, **self._window(), now=self.now)).data)

    @operation("Change the end of an exclusion", body=ExclusionChangesSerializer)
    def partial_update(self, request: Request, id: str) -> Response:
        exclusion, asked = self.row(), self.body()
        if "until" not in asked:
            raise wrong("until", "This field is required.")
        exclusions.change_end(self.access, exclusion, until_at=asked["until"], now=self.now)
        return self.answer_anew(exclusion)

    @operation(
        "End an exclusion now",
        body=NothingSerializer,
        description="One that has not begun is taken back: it never was.",
    )
    @action(detail=True, methods=["post"])
    def end(self, request: Request, id: str) -> Response:
        self.body()
        exclusion = self.row()
        exclusions.end(self.access, exclusion, now=self.now)
        return self.answer_anew(exclusion)

    def _window(self) -> dict[str, Any]:
        asked = self.body()
        window = {"from_at": asked["from"], "until_at": asked.get("until"), "reason": asked["reason"]}
        window |= {"site": asked.get("site", ""), "note": asked.get("note", "")}
        if code := asked.get("customer"):
            window["customer"] = Customer.objects.visible_to(self.access).filter(code=code).first()
            if window["customer"] is None:
                raise wrong("customer", "There is no such customer.")
        if code := asked.get("worker"):
            window["worker"] = Worker.objects.visible_to(self.access).filter(code=code).first()
            if window["worker"] is None:
                raise wrong("worker", "There is no such worker.")
        return window
