"""What the pool says: mining accounts, rewards, sync runs, and the keys that open it (never their secrets)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet, prefetch_related_objects
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_variables
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from billing import shares
from billing.shares import RewardShare
from customers.tenancy import Access
from mining import planner, runs
from mining.keys import health as key_health
from mining.keys import logins
from mining.keys import store as key_store
from mining.models import Credential, MiningAccount, Reward, SyncRun
from mining.models.rewards import Destination, RewardStatus
from mining.models.runs import Subject
from mining.pool.rights import ACTING, ENDPOINTS
from portal.api.base import ListView, ResourceView
from portal.api.customers import CustomerAccountSerializer
from portal.api.fields import Choice, Code, Day, Exact, InputSerializer, OrNull, QueryFlag, Text
from portal.api.paging import PageSerializer
from portal.api.schema import list_operation, operation

# --- Mining accounts


class MiningAccountSerializer(CustomerAccountSerializer):
    customer = serializers.CharField(
        source="customer.code", allow_null=True, help_text="null: an account that belongs to no customer yet."
    )


class MiningAccountQuerySerializer(PageSerializer):
    customer = Code("cus", required=False)
    credential = Text(required=False, max_length=64, help_text="The label of the pool key.")
    state = serializers.ChoiceField(choices=MiningAccount.State.choices, required=False)
    unassigned = QueryFlag(required=False, help_text="true: only accounts without a customer; false: only those with.")


class MiningAccountList(ListView):
    resource = "mining-accounts"
    query = MiningAccountQuerySerializer

    @list_operation(
        "mining_accounts_list",
        "List mining accounts, newest first",
        MiningAccountSerializer,
        MiningAccountQuerySerializer,
        description="Accounts at the pool that belong to no customer yet are listed too.",
    )
    def get(self, request: Request) -> Response:
        mine = MiningAccount.objects.visible_to(self.access)
        asked = self.filters(
            customer="customer__code", credential="login__name", state="state", unassigned="customer__isnull"
        )
        page, following = self.keyset(mine.select_related("customer", "login").filter(**asked), anchors=mine)
        return self.listed(MiningAccountSerializer, page, following)


class MiningAccountDetail(ResourceView):
    resource = "mining-accounts"

    @operation("mining_accounts_read", "One mining account", MiningAccountSerializer)
    def get(self, request: Request, id: str) -> Response:
        mine = MiningAccount.objects.visible_to(self.access).select_related("customer", "login")
        return self.one(MiningAccountSerializer, get_object_or_404(mine, code=id))


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
]


@dataclass(frozen=True, slots=True)
class SharedReward:
    reward: Reward
    share: RewardShare


class RewardSerializer(serializers.Serializer[SharedReward]):
    id = serializers.CharField(source="reward.code")
    customer = serializers.CharField(
        source="reward.customer.code", allow_null=True, help_text="null: its account belongs to no customer yet."
    )
    mining_account = serializers.CharField(source="reward.mining_account.code")
    date = serializers.DateField(source="reward.day", help_text="The day in UTC.")
    occurrence = serializers.IntegerField(
        source="reward.occurrence", help_text="1, 2 …: which record of this account, moment and currency."
    )
    currency = serializers.CharField(source="reward.currency")
    total_reward = serializers.CharField(
        source="reward.total_raw", help_text="Before the pool's fee, in `currency`, as the pool wrote it."
    )
    pool_fee = serializers.CharField(source="reward.fee_raw", help_text="In `currency`, as the pool wrote it.")
    net_reward = serializers.CharField(
        source="reward.net_raw", help_text="After the pool's fee, in `currency`, as the pool wrote it."
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
    first_seen_at = serializers.DateTimeField(source="reward.first_seen_at")
    changed_at = serializers.DateTimeField(source="reward.changed_at", help_text="When the pool last said otherwise.")


class RewardQuerySerializer(PageSerializer):
    customer = Code("cus", required=False)
    mining_account = Code("acc", required=False)
    date_from = Day(required=False, help_text="The first day (UTC) to list.")
    date_to = Day(required=False, help_text="The last day (UTC) to list.")
    status = serializers.ChoiceField(choices=RewardStatus.choices, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "date_from" in attrs and "date_to" in attrs and attrs["date_from"] > attrs["date_to"]:
            raise ValidationError({"date_from": ["This day is after date_to."]})
        return attrs


def with_owners(access: Access) -> QuerySet[Reward]:
    return Reward.objects.visible_to(access).select_related("customer", "mining_account")


def with_shares(rewards: list[Reward]) -> list[SharedReward]:
    parts = shares.shares_of(rewards)
    return [SharedReward(reward, parts[reward.pk]) for reward in rewards]


class RewardList(ListView):
    resource = "rewards"
    query = RewardQuerySerializer

    @list_operation("rewards_list", "List rewards, newest day first", RewardSerializer, RewardQuerySerializer)
    def get(self, request: Request) -> Response:
        asked = self.filters(
            customer="customer__code",
            mining_account="mining_account__code",
            date_from="day__gte",
            date_to="day__lte",
            status="status",
        )
        page, following = self.keyset(
            with_owners(self.access).filter(**asked),
            anchors=Reward.objects.visible_to(self.access),
            order=("-day", "-pk"),
        )
        return self.listed(RewardSerializer, with_shares(page), following)


class RewardDetail(ResourceView):
    resource = "rewards"

    @operation("rewards_read", "One reward", RewardSerializer)
    def get(self, request: Request, id: str) -> Response:
        reward = get_object_or_404(with_owners(self.access), code=id)
        return self.one(RewardSerializer, with_shares([reward])[0])


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
    error = OrNull(help_text="What went wrong, in a sentence; null: nothing.")

    def get_mining_account(self, run: SyncRun) -> str | None:
        return None


class SyncRunQuerySerializer(PageSerializer):
    credential = Text(required=False, max_length=64, help_text="The label of the pool key.")
    subject = serializers.ChoiceField(choices=Subject.choices, required=False)
    state = serializers.ChoiceField(choices=SyncRun.State.choices, required=False)


class NewSyncSerializer(InputSerializer):
    only = Choice(
        choices=[(subject.value, subject.label) for subject in runs.SUBJECTS],
        required=False,
        help_text="Read only this subject; left out: all.",
    )


class OpenRunsSerializer(serializers.Serializer[Any]):
    data = SyncRunSerializer(many=True)  # type: ignore[assignment]  # DRF takes declared fields out of the class
    next = serializers.URLField(allow_null=True, help_text="Always null: all runs are here.")


class SyncRunList(ListView):
    resource = "sync-runs"
    query = SyncRunQuerySerializer

    @list_operation("sync_runs_list", "List sync runs, newest first", SyncRunSerializer, SyncRunQuerySerializer)
    def get(self, request: Request) -> Response:
        mine = SyncRun.objects.visible_to(self.access)
        asked = self.filters(credential="login__name", subject="subject", state="state")
        page, following = self.keyset(mine.select_related("login").filter(**asked), anchors=mine)
        return self.listed(SyncRunSerializer, page, following)

    @operation(
        "sync_runs_create",
        "Read the pool now",
        OpenRunsSerializer,
        body=NewSyncSerializer,
        status=202,
        refusals=(400, 401, 403, 409),
        description="Queues a run for each login and subject. A run that is open already is answered, not doubled.",
    )
    def post(self, request: Request) -> Response:
        only = self.body(NewSyncSerializer).get("only")
        runs = planner.request_sync(self.access, only=Subject(only) if only else None, now=self.now)
        prefetch_related_objects(runs, "login")
        answer = self.listed(SyncRunSerializer, runs, None)
        answer.status_code = 202
        return answer


class SyncRunDetail(ResourceView):
    resource = "sync-runs"

    @operation("sync_runs_read", "One sync run", SyncRunSerializer)
    def get(self, request: Request, id: str) -> Response:
        rows = SyncRun.objects.visible_to(self.access).select_related("login")
        return self.one(SyncRunSerializer, get_object_or_404(rows, code=id))


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
    label = Text(  # type: ignore[assignment]  # DRF takes declared fields out of the class
        max_length=64,
        help_text="Names the WhiteBIT user. A key under the same label, however its capitals are written, is replaced"
        " once this one works.",
    )
    api_key = Text(max_length=256, help_text="Sealed at once.")
    secret = Text(max_length=256, help_text="Sealed at once, and in no answer.")


class CredentialQuerySerializer(PageSerializer):
    label = Text(required=False, max_length=64)  # type: ignore[assignment]  # DRF takes declared fields out of the class
    state = serializers.ChoiceField(choices=Credential.State.choices, required=False)


class CredentialChangesSerializer(InputSerializer):
    label = Text(  # type: ignore[assignment]  # DRF takes declared fields out of the class
        max_length=64, help_text="The WhiteBIT user's new name."
    )


def _key(access: Access, code: str) -> Credential:
    return get_object_or_404(Credential.objects.visible_to(access).select_related("login"), code=code)


class CredentialList(ListView):
    resource = "credentials"
    query = CredentialQuerySerializer

    @list_operation("credentials_list", "List pool keys, newest first", CredentialSerializer, CredentialQuerySerializer)
    def get(self, request: Request) -> Response:
        keys = Credential.objects.visible_to(self.access)
        asked = self.filters(label="login__name", state="state")
        page, following = self.keyset(keys.select_related("login").filter(**asked), anchors=keys)
        return self.listed(CredentialSerializer, page, following)

    @operation(
        "credentials_create",
        "Store a pool key",
        CredentialSerializer,
        body=NewCredentialSerializer,
        status=202,
        refusals=(400, 401, 403, 409),
        description="A worker tries it at the pool: read it again until its state is active, or refused with a problem."
        " It takes over from the key under the same label only when it works, so there is no gap.",
    )
    # What was pasted must stay out of error reports.
    @method_decorator(sensitive_variables("asked"))
    def post(self, request: Request) -> Response:
        asked = self.body(NewCredentialSerializer)
        credential = key_store.paste_key(
            self.access, login_name=asked["label"], api_key=asked["api_key"], secret=asked["secret"], now=self.now
        )
        at = reverse("api:credential", args=[credential.code])
        return self.one(CredentialSerializer, credential, status=202, at=at)


class CredentialDetail(ResourceView):
    resource = "credentials"

    @operation("credentials_read", "One pool key", CredentialSerializer)
    def get(self, request: Request, id: str) -> Response:
        return self.one(CredentialSerializer, _key(self.access, id))

    @operation(
        "credentials_change",
        "Rename a pool key's WhiteBIT user",
        CredentialSerializer,
        body=CredentialChangesSerializer,
        refusals=(400, 401, 403, 404, 409),
        description="All keys and mining accounts of the same label carry the new one from then on, and nothing else"
        " changes. A label that another WhiteBIT user has, however its capitals are written, is refused with 409.",
    )
    def patch(self, request: Request, id: str) -> Response:
        credential = _key(self.access, id)
        logins.rename_login(
            self.access, credential.login, self.body(CredentialChangesSerializer)["label"], now=self.now
        )
        return self.one(CredentialSerializer, credential)


class NothingSerializer(InputSerializer):
    """A body that says nothing: {} or none."""


class CredentialVerification(ResourceView):
    resource = "credentials"

    @operation(
        "credentials_verify",
        "Try a pool key again",
        CredentialSerializer,
        body=NothingSerializer,
        status=202,
        refusals=(400, 401, 403, 404, 409),
        description="A worker tries it at the pool, for instance after it was mended there. A refused key is checking"
        " until then: read it again. One that works stays active meanwhile. While a key under the same label is tried,"
        " and for a minute from the beginning of that, it is answered as it is and not tried once more.",
    )
    def post(self, request: Request, id: str) -> Response:
        self.body(NothingSerializer)
        credential = _key(self.access, id)
        key_store.ask_verification(self.access, credential, now=self.now)
        return self.one(CredentialSerializer, credential, status=202, at=reverse("api:credential", args=[id]))
