"""Alerts: what needs a person at the provider, open or ended. They open and end by themselves."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.mixins import ListModelMixin

from mining.models import Alert
from portal.alerts.words import sentence
from portal.api.base import Filter, Resource
from portal.api.fields import Code, OrNull

OPEN, ENDED = "open", "ended"
STATES = [(OPEN, "its cause stands"), (ENDED, "its cause is over; should it come back, that is another alert")]
KINDS = [
    (Alert.Kind.PAYOUT_DRIFT, "the pool pays an account's rewards elsewhere than was agreed"),
    (Alert.Kind.KEY_REFUSED, "the pool refuses a key that had worked"),
    (Alert.Kind.KEY_QUIET, "the pool has not answered a key in use for 3 days"),
    (Alert.Kind.KEY_SILENT, "the same for 7 days; the pool switches a key off after 14"),
    (Alert.Kind.BILLED_IN_DOUBT, "rewards that were billed are missing at the pool, pending again or unknown"),
    (Alert.Kind.ACT_IN_DOUBT, "nobody knows whether the pool did what it was asked for"),
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
        source="mining_account.code", allow_null=True, help_text="The account it is about; null: it is about none."
    )
    credential = serializers.CharField(
        source="credential.login.name",
        allow_null=True,
        help_text="The label of the pool key; null: it is about no key.",
    )
    opened_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    told_at = serializers.DateTimeField(
        allow_null=True, help_text="When it was last mailed to the provider's owners; null: it was not (yet)."
    )
    problem = OrNull(help_text="Why it could not be mailed so far; it is tried again. null: nothing.")

    @extend_schema_field(serializers.ChoiceField(choices=STATES))
    def get_state(self, alert: Alert) -> str:
        return OPEN if alert.is_open else ENDED

    def get_sentence(self, alert: Alert) -> str:
        return sentence(alert)


class Alerts(ListModelMixin, Resource[Alert]):
    resource = "alerts"
    one = "alert"
    about = (
        "What needs a person: each is also mailed once to the provider's owners, and a payout that goes on to another"
        " place once more."
    )
    model = Alert
    related = ("customer", "mining_account", "credential__login", "intent")
    serializer_class = AlertSerializer
    filters = (
        Filter("state", in_state, serializers.ChoiceField, STATES),
        Filter("customer", "customer__code", Code, "cus"),
        Filter("kind", "kind", serializers.ChoiceField, KINDS),
    )
    enums = {"AlertKind": KINDS, "AlertLevel": Alert.Level, "AlertState": STATES}
