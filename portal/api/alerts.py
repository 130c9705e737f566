"""Alerts: what needs a person at the provider, open or ended. They open and end by themselves, by the provider's
rules."""

from __future__ import annotations

from datetime import datetime, time
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from customers.models import MemberKind, Membership
from mining.alerts import handling, rules
from mining.models import Alert, AlertRule
from portal.alerts.rule_words import in_words, number
from portal.alerts.words import sentence
from portal.api.base import Filter, Resource, operation, wrong
from portal.api.fields import (
    Choice,
    Code,
    Email,
    Flag,
    InputSerializer,
    Lines,
    Matching,
    NothingSerializer,
    OrNull,
    WholeNumber,
)

OPEN, ENDED = "open", "ended"
STATES = [(OPEN, "its cause stands"), (ENDED, "its cause is over; should it come back, that is another alert")]
KINDS = [
    (Alert.Kind.PAYOUT_DRIFT, "the pool pays an account's rewards elsewhere than was agreed"),
    (Alert.Kind.KEY_REFUSED, "the pool refuses a key that had worked"),
    (Alert.Kind.KEY_QUIET, "the pool has not answered a key in use for 3 days"),
    (Alert.Kind.KEY_SILENT, "the same for 7 days; the pool switches a key off after 14"),
    (Alert.Kind.BILLED_IN_DOUBT, "rewards that were billed are missing at the pool, pending again or unknown"),
    (Alert.Kind.ACT_IN_DOUBT, "nobody knows whether the pool did what it was asked for"),
    (Alert.Kind.WORKERS_OFFLINE, "machines of an account are down, by the pool's counts"),
    (Alert.Kind.HASHRATE_LOW, "an account hashes less than it should"),
    (Alert.Kind.WORKER_DOWN, "one machine has been down for too long"),
    (Alert.Kind.REJECT_RATE, "too many shares of an account are rejected"),
    (Alert.Kind.DATA_OLD, "an account was not read for too long: what its machines do is unknown"),
    (Alert.Kind.REWARD_MISSING, "the reward of the day before is not there"),
]


def in_state(alerts: QuerySet[Alert], state: str, _: datetime) -> QuerySet[Alert]:
    return alerts.filter(ended_at__isnull=state == OPEN)


class AlertSerializer(serializers.Serializer[Alert]):
    id = serializers.CharField(source="code")
    kind = serializers.ChoiceField(choices=KINDS)
    level = serializers.ChoiceField(choices=Alert.Level.choices)
    state = serializers.SerializerMethodField()
    sentence = serializers.SerializerMethodField()
    customer = serializers.CharField(
        source="customer.code", allow_null=True, help_text="null: it is about no single customer."
    )
    mining_account = serializers.CharField(
        source="mining_account.code", allow_null=True, help_text="null: it is about no single account."
    )
    worker = serializers.CharField(
        source="worker.name", allow_null=True, help_text="The machine's name; null: it is about no single machine."
    )
    credential = serializers.CharField(
        source="credential.login.name",
        allow_null=True,
        help_text="The label of the pool key; null: it is about no key.",
    )
    is_group = serializers.BooleanField(help_text="Many fell together: it stands for the alerts that name it.")
    group = serializers.CharField(
        source="group.code", allow_null=True, help_text="The alert that is told in its place; null: it is told itself."
    )
    site = serializers.CharField(help_text="Of a group: where all of them stand; empty: at several places.")
    is_silenced = serializers.BooleanField(help_text="An exclusion runs, so nobody is told.")
    stood_at = serializers.DateTimeField(help_text="Since when its cause has stood.")
    opened_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    acknowledged_at = serializers.DateTimeField(allow_null=True)
    acknowledged_by = OrNull(help_text="A person's address, or `token` and its name.")
    assigned_to = serializers.CharField(
        source="assigned_to.user.email", allow_null=True, help_text="The address of whoever has it; null: nobody."
    )
    note = OrNull()
    told_at = serializers.DateTimeField(
        allow_null=True, help_text="When it was last mailed to everybody who wants it; null: it was not (yet)."
    )
    end_told_at = serializers.DateTimeField(allow_null=True, help_text="When it was mailed that it is over.")
    problem = OrNull(help_text="Why it could not be mailed so far; it is tried again. null: nothing.")

    @extend_schema_field(serializers.ChoiceField(choices=STATES))
    def get_state(self, alert: Alert) -> str:
        return OPEN if alert.is_open else ENDED

    def get_sentence(self, alert: Alert) -> str:
        return sentence(alert)


class AssigneeSerializer(InputSerializer):
    member = Email(max_length=254, allow_null=True, help_text="The address of somebody on the staff; null: nobody.")


class NoteSerializer(InputSerializer):
    note = Lines(max_length=handling.LONGEST_NOTE, allow_blank=True, help_text="In place of the one before.")


class Alerts(ListModelMixin, RetrieveModelMixin, Resource[Alert]):
    resource = "alerts"
    one = "alert"
    about = (
        "What needs a person: each is mailed to whoever wants it, again while nobody has acknowledged it where its rule"
        " says so, and of the fleet also when it is over. What fell together is mailed as one."
    )
    model = Alert
    related = ("customer", "mining_account", "credential__login", "intent", "worker", "group", "assigned_to__user")
    serializer_class = AlertSerializer
    filters = (
        Filter("state", in_state, serializers.ChoiceField, STATES),
        Filter("customer", "customer__code", Code, "cus"),
        Filter("kind", "kind", serializers.ChoiceField, KINDS),
    )
    enums = {"AlertKind": KINDS, "AlertLevel": Alert.Level, "AlertState": STATES}

    def visible(self) -> QuerySet[Alert]:
        rows: Any = super().visible()
        opened: QuerySet[Alert] = rows.opened().filter(for_customer=None)
        return opened.prefetch_related("members__customer")

    @operation(
        "Acknowledge an alert",
        body=NothingSerializer,
        description="Somebody sees to it, so it is not told again. Once more changes nothing.",
    )
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, id: str) -> Response:
        self.body()
        return self.answer_anew(handling.acknowledge(self.access, self.row(), now=self.now))

    @operation("Give an alert to somebody", body=AssigneeSerializer, description="It is acknowledged by that.")
    @action(detail=True, methods=["post"])
    def assign(self, request: Request, id: str) -> Response:
        alert, address = self.row(), self.body()["member"]
        return self.answer_anew(handling.assign(self.access, alert, to=self._member(address), now=self.now))

    @operation("Write down what is known of an alert", body=NoteSerializer)
    @action(detail=True, methods=["post"])
    def note(self, request: Request, id: str) -> Response:
        return self.answer_anew(handling.note(self.access, self.row(), text=self.body()["note"], now=self.now))

    def _member(self, address: str | None) -> Membership | None:
        if address is None:
            return None
        staff = Membership.objects.visible_to(self.access).filter(kind=MemberKind.STAFF, is_active=True)
        member = staff.filter(user__email__iexact=address).first()
        if member is None:
            raise wrong("member", "Nobody on the staff has this address.")
        return member


class Limit(Matching):
    """A limit, as a text: its decimals are exact."""

    def __init__(self, **options: Any) -> None:
        super().__init__(r"[0-9]{1,9}(\.[0-9]{1,2})?", "Write the number as 70 or 1.5, in quotes.", **options)

    def to_internal_value(self, data: Any) -> Decimal:  # type: ignore[override]  # a text comes in, a number goes on
        return Decimal(super().to_internal_value(data))


class TimeOfDay(Matching):
    def __init__(self, **options: Any) -> None:
        super().__init__(r"([01][0-9]|2[0-3]):[0-5][0-9]", "Write the time as 12:00.", **options)

    def to_internal_value(self, data: Any) -> time:  # type: ignore[override]  # a text comes in, a time goes on
        return time.fromisoformat(super().to_internal_value(data))


class AlertRuleSerializer(serializers.Serializer[AlertRule]):
    id = serializers.CharField(source="code")
    kind = serializers.ChoiceField(choices=KINDS)
    sentence = serializers.SerializerMethodField()
    is_on = serializers.BooleanField()
    unit = serializers.SerializerMethodField(help_text="In which the limits are said; null: it has none.")
    threshold = serializers.SerializerMethodField(help_text="Beyond which it stands; null: it has none.")
    ends_at = serializers.SerializerMethodField(help_text="At which it is over; null: at the same.")
    by_time = serializers.SerializerMethodField(help_text="The time of day (UTC) that it waits for; null: for none.")
    grace_minutes = serializers.IntegerField(help_text="For how long it has to stand.")
    clear_minutes = serializers.IntegerField(help_text="For how long it has to be over.")
    repeat_minutes = serializers.IntegerField(
        allow_null=True, help_text="Told again after so long while nobody has acknowledged it; null: never."
    )
    group_percent = serializers.IntegerField(help_text="The share of the machines that makes it one alert for all ...")
    group_minutes = serializers.IntegerField(help_text="... when they fall within so long.")

    def get_sentence(self, rule: AlertRule) -> str:
        return in_words(rule)

    @extend_schema_field(serializers.ChoiceField(choices=AlertRule.Unit.choices, allow_null=True))
    def get_unit(self, rule: AlertRule) -> str | None:
        return rule.unit or None

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_threshold(self, rule: AlertRule) -> str | None:
        return None if rule.threshold is None else number(rule.threshold)

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_ends_at(self, rule: AlertRule) -> str | None:
        return None if rule.ends_at is None else number(rule.ends_at)

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_by_time(self, rule: AlertRule) -> str | None:
        return None if rule.by_time is None else f"{rule.by_time:%H:%M}"


def _minutes(least: int = 0, **options: Any) -> WholeNumber:
    return WholeNumber(min_value=least, max_value=rules.MOST_MINUTES, required=False, **options)


class RuleChangesSerializer(InputSerializer):
    is_on = Flag(required=False)
    unit = Choice(choices=AlertRule.Unit.choices, required=False)
    threshold = Limit(required=False)
    ends_at = Limit(required=False, allow_null=True)
    by_time = TimeOfDay(required=False)
    grace_minutes = _minutes()
    clear_minutes = _minutes()
    repeat_minutes = _minutes(1, allow_null=True)
    group_percent = WholeNumber(min_value=1, max_value=100, required=False)
    group_minutes = _minutes()


class AlertRules(ListModelMixin, RetrieveModelMixin, Resource[AlertRule]):
    resource = "alert-rules"
    one = "alert rule"
    about = "One of each kind; they are useful as they come. What was not read is unknown: it opens and ends nothing."
    model = AlertRule
    serializer_class = AlertRuleSerializer
    filters = (Filter("kind", "kind", serializers.ChoiceField, KINDS),)
    enums = {"AlertUnit": AlertRule.Unit}

    def visible(self) -> QuerySet[AlertRule]:
        return super().visible().filter(customer=None)

    @operation(
        "Change an alert rule",
        body=RuleChangesSerializer,
        description="What is left out stays. Switched off, it ends its alerts, and nobody is told that they are over.",
    )
    def partial_update(self, request: Request, id: str) -> Response:
        rule = rules.change(self.access, self.row(), now=self.now, **self.body())
        return self.answer_anew(rule)
