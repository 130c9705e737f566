"""API tokens: which there are, a new one, and an end to one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from customers import tokens
from customers.models import ApiToken
from portal.api.auth import caller_of, may, unknown_scopes
from portal.api.base import Filter, Resource, operation, wrong
from portal.api.fields import Choices, Day, InputSerializer, NothingSerializer, Text, Words

ACTIVE, ENDED, REVOKED = "active", "ended", "revoked"
STATES = [(ACTIVE, "it opens what its scopes say"), (ENDED, "its last day is over"), (REVOKED, "taken back")]


def state_of(token: ApiToken, now: datetime) -> str:
    if token.revoked_at is not None:
        return REVOKED
    return ENDED if token.has_ended(now) else ACTIVE


def in_state(rows: QuerySet[ApiToken], state: str, now: datetime) -> QuerySet[ApiToken]:
    over = Q(ends_on__lt=now.date())
    live = rows.filter(revoked_at=None)
    return {ACTIVE: live.exclude(over), ENDED: live.filter(over), REVOKED: rows.exclude(revoked_at=None)}[state]


class TokenSerializer(serializers.Serializer[ApiToken]):
    id = serializers.CharField(source="code")
    name = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField())
    state = serializers.SerializerMethodField()
    made_by = serializers.CharField(help_text="A person's address, `token` and its name, or `operator`.")
    created_at = serializers.DateTimeField()
    ends_on = serializers.DateField(allow_null=True, help_text="Its last day (UTC); null: it never ends.")
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="To within a minute; null: never.")
    revoked_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(serializers.ChoiceField(choices=STATES))
    def get_state(self, token: ApiToken) -> str:
        return state_of(token, self.context["now"])


class MadeTokenSerializer(TokenSerializer):
    secret = serializers.SerializerMethodField(
        help_text="What calls show: in this answer and never again. null: this call was made before with the same key."
    )

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_secret(self, token: ApiToken) -> str | None:
        return getattr(token, "secret", None)


class NewTokenSerializer(InputSerializer):
    name = Words(max_length=100, help_text="Unlike that of any other that is not revoked.")
    scopes = Choices(child=Text(max_length=60), min_length=1, max_length=100)
    ends_on = Day(
        required=False,
        allow_null=True,
        help_text=f"Its last day (UTC), at most two years ahead; left out: in {tokens.DEFAULT_DAYS} days; null: never.",
    )


class Tokens(ListModelMixin, RetrieveModelMixin, Resource[ApiToken]):
    resource = "tokens"
    one = "API token"
    about = "Nothing tells a token's secret: it was in the answer that made it."
    model = ApiToken
    serializer_class = TokenSerializer
    filters = (Filter("state", in_state, serializers.ChoiceField, STATES),)
    enums = {"TokenState": STATES}

    @operation(
        "Make an API token",
        body=NewTokenSerializer,
        status=201,
        answer=MadeTokenSerializer,
        answered_once="secret",
        description="With scopes that the calling token has itself, and for no longer. The secret is answered once and"
        " kept by nobody: the same call sent again with its Idempotency-Key is answered without it.",
    )
    def create(self, request: Request) -> Response:
        asked = self.body()
        if unknown := unknown_scopes(asked["scopes"]):
            raise wrong("scopes", f"There is no scope {unknown[0]!r}.")
        # Or whoever may make tokens could do all that one could be made for.
        for scope in asked["scopes"]:
            if not may(self.access.scopes, scope):
                raise PermissionDenied(f"This token lacks the scope {scope}, so it cannot give it.")
        last_day = self._own().ends_on
        if last_day is not None:
            asked.setdefault("ends_on", min(last_day, tokens.default_end(self.now)))
            if asked["ends_on"] is None or asked["ends_on"] > last_day:
                raise PermissionDenied(f"This token ends on {last_day}, so it cannot make one that outlasts it.")
        asked.setdefault("ends_on", tokens.default_end(self.now))
        made = tokens.make_token(self.access, **asked, now=self.now)
        return self.answer_made(made)

    def _own(self) -> ApiToken:
        return self.visible().get(digest=caller_of(self.request))

    def answer_made(self, made: tokens.Made) -> Response:
        made.token.secret = made.secret  # type: ignore[attr-defined]  # for this one answer
        location: dict[str, Any] = {"Location": self.reverse_action("detail", args=[made.token.code])}
        data = MadeTokenSerializer(made.token, context=self.get_serializer_context()).data
        return Response(data, status=201, headers=location)

    @operation(
        "Revoke an API token",
        body=NothingSerializer,
        description="It is refused from the next call on, the calling one too. Revoked again, nothing changes.",
    )
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, id: str) -> Response:
        self.body()
        token = self.row()
        tokens.revoke_token(self.access, token, now=self.now)
        return self.answer_anew(token)
