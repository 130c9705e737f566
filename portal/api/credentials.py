"""Pool keys: never their secrets."""

from __future__ import annotations

from typing import Any

from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_variables
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from mining.keys import health as key_health
from mining.keys import logins
from mining.keys import store as key_store
from mining.models import Credential
from mining.pool.rights import ACTING, ENDPOINTS
from portal.api.base import Filter, Resource, operation, wrong
from portal.api.fields import (
    Flag,
    InputSerializer,
    NothingSerializer,
    OrNull,
    Text,
    Words,
)

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
