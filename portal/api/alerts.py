"""Alerts: what needs a person at the provider, open or ended. They open and end by themselves."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from mining.models import Alert
from portal.alerts.words import sentence
from portal.api.base import ListView
from portal.api.fields import Code, OrNull
from portal.api.paging import PageSerializer
from portal.api.schema import list_operation

OPEN, ENDED = "open", "ended"
STATES = [(OPEN, "its cause stands"), (ENDED, "its cause is over; should it come back, that is another alert")]
KINDS = [
    (Alert.Kind.PAYOUT_DRIFT, "the pool pays an account's rewards elsewhere than was agreed"),
    (Alert.Kind.KEY_REFUSED, "the pool refuses a key that had worked"),
    (Alert.Kind.KEY_QUIET, "the pool has not answered a key in use for 3 days"),
    (Alert.Kind.KEY_SILENT, "the same for 7 days; the pool switches a key off after 14"),
    (Alert.Kind.ACT_IN_DOUBT, "nobody knows whether the pool did what it was asked for"),
]


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
        source="mining_account.code", allow_null=True, help_text="Whose payout drifts; null: it is about no account."
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


class AlertQuerySerializer(PageSerializer):
    state = serializers.ChoiceField(choices=STATES, required=False)
    customer = Code("cus", required=False)
    kind = serializers.ChoiceField(choices=KINDS, required=False)


class AlertList(ListView):
    resource = "alerts"
    query = AlertQuerySerializer

    @list_operation(
        "alerts_list",
        "List alerts, newest first",
        AlertSerializer,
        AlertQuerySerializer,
        description="What needs a person: each is also mailed once to the provider's owners, and a payout that goes on"
        " to another place once more.",
    )
    def get(self, request: Request) -> Response:
        mine = Alert.objects.visible_to(self.access)
        asked = self.filters(customer="customer__code", kind="kind")
        if "state" in self.asked:
            asked["ended_at__isnull"] = self.asked["state"] == OPEN
        rows = mine.filter(**asked).select_related("customer", "mining_account", "credential__login", "intent")
        page, following = self.keyset(rows, anchors=mine)
        return self.listed(AlertSerializer, page, following)
