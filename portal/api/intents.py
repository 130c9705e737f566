"""Acts at the pool that must not happen twice, and what a person decides of one that nobody could settle."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from mining.intents import decide_intent
from mining.models import PoolIntent
from portal.api.auth import MONEY, may
from portal.api.base import Filter, Resource, operation
from portal.api.fields import Code, Flag, InputSerializer, OrNull

STATES = [
    (PoolIntent.State.PLANNED.value, "nothing has happened at the pool yet"),
    (PoolIntent.State.CALLED.value, "the call went out; its outcome is not settled"),
    (PoolIntent.State.DONE.value, "done"),
    (PoolIntent.State.FAILED.value, "surely without effect; `problem` says why"),
    (PoolIntent.State.UNKNOWN.value, "nobody knows: a person looks at the pool and decides"),
]


class IntentSerializer(serializers.Serializer[PoolIntent]):
    id = serializers.CharField(source="code")
    kind = serializers.ChoiceField(choices=PoolIntent.Kind.choices)
    state = serializers.ChoiceField(choices=STATES)
    customer = serializers.CharField(source="customer.code")
    credential = serializers.CharField(source="login.name", help_text="The label of the pool key.")
    account_name = serializers.CharField(help_text="The account's name at the pool.")
    watcher_link = serializers.CharField(source="watcher_link.code", default=None, help_text="Of create_link.")
    payout_destination = serializers.CharField(allow_null=True, help_text="Of edit_payout: what is to stand there.")
    payout_address = serializers.CharField(allow_null=True)
    asked_by = OrNull()
    created_at = serializers.DateTimeField()
    settled_at = serializers.DateTimeField(allow_null=True)
    problem = OrNull(help_text="What went wrong, in a sentence; null: nothing.")


class DecisionSerializer(InputSerializer):
    at_the_pool = Flag(help_text="Whether what was asked for is there. Look first: nobody can undo a wrong answer.")


class Intents(ListModelMixin, RetrieveModelMixin, Resource[PoolIntent]):
    resource = "intents"
    one = "intent"
    about = "What was or is about to be done at the pool: accounts, watcher links, payout destinations."
    model = PoolIntent
    related = ("customer", "login", "watcher_link")
    serializer_class = IntentSerializer
    filters = (
        Filter("customer", "customer__code", Code, "cus"),
        Filter("state", "state", serializers.ChoiceField, STATES),
    )
    enums = {"IntentKind": PoolIntent.Kind, "IntentState": STATES}

    @operation(
        "Say what became of an act in doubt",
        body=DecisionSerializer,
        description="Of one that is unknown, or one that waits to go out and is given up with false. Of a payout"
        " destination it needs the scope money:write besides.",
    )
    @action(detail=True, methods=["post"])
    def decide(self, request: Request, id: str) -> Response:
        intent, ours = self.row(), self.body()["at_the_pool"]
        if intent.kind == PoolIntent.Kind.EDIT_PAYOUT and not may(self.access.scopes, MONEY):
            raise PermissionDenied(f"This token lacks the scope {MONEY}.")
        decide_intent(self.access, intent, ours=ours, now=self.now)
        return self.answer_anew(intent)
