"""The keys to the pool, the mining accounts they open, and what we meant to do there."""

from functools import partial
from typing import Self

from django.db import models
from django.db.models import Case, Q, Value, When

from customers.codes import new_code
from customers.models import Customer, TenantModel
from customers.sealing import Place
from customers.tenancy import TenantQuerySet
from mining.models.logins import PoolLogin

ONE_PROVIDER = "mining_credential_one_provider"


class Credential(TenantModel):
    """A pool API key of a login: its keys replace each other."""

    class State(models.TextChoices):
        CHECKING = "checking"  # pasted, a worker has not verified it yet
        ACTIVE = "active"
        REFUSED = "refused"  # the pool refused it: it is not used until a person acts
        RETIRED = "retired"

    code = models.CharField(max_length=32, default=partial(new_code, "crd"), editable=False)
    login = models.ForeignKey(PoolLogin, models.PROTECT, db_constraint=False, db_index=False, related_name="keys")
    state = models.CharField(max_length=16, choices=State, default=State.CHECKING)
    sealed_api_key = models.TextField()
    sealed_secret = models.TextField()
    # SHA-256 of the API key: sealed values cannot be compared (sealing the same key twice gives two texts), and the
    # web, which cannot open them, must notice a key that is pasted again. The API key is random and long, so its
    # digest cannot be turned back.
    key_digest = models.CharField(max_length=64)
    key_hint = models.CharField(max_length=8)  # the last four characters, for a person to tell keys apart
    created_at = models.DateTimeField()
    # The last try that was made for the key's own sake: a verification, however it ended, or a daily call that failed;
    # also when the pool refused it in use. A daily call that succeeds is told by last_success_at alone. A worker that
    # cannot open the key has not tried it; of a key that waits it is noted all the same, to hint less often.
    checked_at = models.DateTimeField(null=True)
    verified_at = models.DateTimeField(null=True)  # the last verification that the key passed; null: it never did
    # May the key use this endpoint? As the last verification found and use has told since: {"rewards": true}. Of what
    # acts often only the day is known on which the pool last did it: {"accounts/create": "2026-11-04"}. What is left
    # out is not known.
    endpoints = models.JSONField(default=dict)
    accounts_seen = models.PositiveIntegerField(null=True)
    # To within an hour, so that reading again what has not changed writes nothing. The pool switches off a key that
    # was unused for 14 days.
    last_success_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "code"], name="mining_credential_code"),
            models.UniqueConstraint(
                fields=["provider", "login"],
                condition=models.Q(state="active"),
                name="mining_credential_one_active",
            ),
            # A key stands once; a retired one may come back.
            models.UniqueConstraint(
                fields=["provider", "key_digest"],
                condition=~models.Q(state="retired"),
                name="mining_credential_key_once",
            ),
            # The only unique rule across providers: two that share a key would see each other's money. Only a key
            # that the pool has accepted counts: pasting alone, which needs no secret, keeps nobody else out. It is
            # refused in words that tell neither about the other.
            models.UniqueConstraint(
                fields=["key_digest"],
                condition=models.Q(verified_at__isnull=False) & ~models.Q(state="retired"),
                name=ONE_PROVIDER,
            ),
        ]

    def place(self, field: str) -> Place:
        return Place(provider=self.provider.code, credential=self.code, field=field)


class MiningAccountQuerySet(TenantQuerySet["MiningAccount"]):
    def follow_signs(self) -> int:
        """Set the state from the three signs. An account that is being created is left to its intent."""
        state = MiningAccount.State
        from_signs = Case(
            When(Q(unlisted_since__isnull=False), then=Value(state.UNKNOWN)),
            When(Q(refused_since__isnull=False), then=Value(state.DISABLED)),
            When(Q(silent_since__isnull=False), then=Value(state.UNKNOWN)),
            default=Value(state.ACTIVE),
        )
        return self.exclude(state=state.CREATING).update(state=from_signs)

    def readable(self) -> Self:
        """Those that the pool answers for."""
        return self.exclude(state=MiningAccount.State.CREATING).filter(silent_since=None, refused_since=None)


class MiningAccount(TenantModel):
    """An account at the pool, unique by (provider, login, name). It stays with its customer for ever."""

    class State(models.TextChoices):
        CREATING = "creating"  # ours in intention only: an open PoolIntent says how far it is
        ACTIVE = "active"
        UNKNOWN = "unknown"  # not (or no longer) listed by the pool, or silent where rewards were known
        DISABLED = "disabled"  # listed, but the pool does not answer for it

    code = models.CharField(max_length=32, default=partial(new_code, "acc"), editable=False)
    login = models.ForeignKey(
        PoolLogin, models.PROTECT, db_constraint=False, db_index=False, related_name="mining_accounts"
    )
    name = models.CharField(max_length=255)
    customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, db_constraint=False, related_name="mining_accounts"
    )
    state = models.CharField(max_length=16, choices=State)
    first_seen_at = models.DateTimeField()
    created_at_pool = models.DateTimeField(null=True)
    # The signs that the state follows from: each says since when, and each is cleared by its own reading.
    unlisted_since = models.DateTimeField(null=True)  # not in the pool's list of accounts
    silent_since = models.DateTimeField(null=True)  # the pool lists none of its rewards that we know
    refused_since = models.DateTimeField(null=True)  # asked for by name, the pool said it knows no such account
    # What the pool says now; null: never read. Each group carries the moment of its reading, to within ten minutes
    # (READ_AT_GRAIN): a reading that finds everything as it was writes nothing.
    payout_destination = models.CharField(max_length=32, null=True)
    payout_address = models.CharField(max_length=100, null=True)
    payout_read_at = models.DateTimeField(null=True)
    # When the pool was first seen to pay there; null: nobody kept it (read before this was kept, or not known now).
    payout_first_seen_at = models.DateTimeField(null=True)
    # Since when the pool pays elsewhere than was agreed (PayoutAgreement): holds billing and payouts of the customer.
    payout_drift_since = models.DateTimeField(null=True)
    workers_online = models.PositiveIntegerField(null=True)
    workers_low = models.PositiveIntegerField(null=True)
    workers_offline = models.PositiveIntegerField(null=True)
    pool_fee_percent = models.DecimalField(max_digits=7, decimal_places=4, null=True)
    workers_read_at = models.DateTimeField(null=True)
    counts_since = models.DateTimeField(null=True)  # the moment of the newest row of Counts
    idle_since = models.DateTimeField(null=True)  # none of its workers is online, and none has been since
    site = models.CharField(
        max_length=64, blank=True, default=""
    )  # the hall where its workers stand; theirs may differ
    hashrate_read_at = models.DateTimeField(null=True)
    rewards_read_at = models.DateTimeField(null=True)
    # When its rewards were read from the first one on; null: not yet, or not since the account came back into sight.
    rewards_read_in_full_at = models.DateTimeField(null=True)
    # When it was asked that they be read from the first one on again: to be done while the reading above is older.
    rewards_asked_again_at = models.DateTimeField(null=True)
    # Watcher links that take room at the pool and are no rows of ours: what its list held and nobody could read.
    links_unseen = models.PositiveIntegerField(default=0)
    links_read_at = models.DateTimeField(null=True)

    objects = MiningAccountQuerySet.as_manager()  # type: ignore[misc]  # a manager, whatever mypy takes it for

    customer_field = "customer"

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "code"], name="mining_account_code"),
            models.UniqueConstraint(fields=["provider", "login", "name"], name="mining_account_name"),
            models.UniqueConstraint(fields=["provider", "customer"], name="mining_account_one_per_customer"),
        ]


class PoolIntent(TenantModel):
    """What we are about to do at the pool, written before the call: on doubt we read back and settle, never repeat.

    It keeps the name by itself: when it fails without effect, the account that was to be is taken away again, and
    the customer is free for another one.
    """

    class Kind(models.TextChoices):
        CREATE_ACCOUNT = "create_account"
        ADOPT_ACCOUNT = "adopt_account"
        CREATE_LINK = "create_link"
        EDIT_PAYOUT = "edit_payout"

    ACCOUNT_KINDS = (Kind.CREATE_ACCOUNT, Kind.ADOPT_ACCOUNT)

    class State(models.TextChoices):
        PLANNED = "planned"  # nothing has happened at the pool yet
        CALLED = "called"  # the call went out; its outcome is not settled
        DONE = "done"
        FAILED = "failed"  # surely without effect; `problem` says why
        UNKNOWN = "unknown"  # needs a person; looked at again all the same

    OPEN = (State.PLANNED, State.CALLED)
    UNSETTLED = (*OPEN, State.UNKNOWN)

    code = models.CharField(max_length=32, default=partial(new_code, "int"), editable=False)
    kind = models.CharField(max_length=32, choices=Kind)
    state = models.CharField(max_length=16, choices=State, default=State.PLANNED)
    customer = models.ForeignKey(Customer, models.PROTECT, db_constraint=False, related_name="pool_intents")
    login = models.ForeignKey(PoolLogin, models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    account_name = models.CharField(max_length=255)
    mining_account = models.ForeignKey(
        MiningAccount, models.PROTECT, null=True, db_constraint=False, related_name="intents"
    )
    # For create_link: the row that the link will fill.
    watcher_link = models.ForeignKey(
        "mining.WatcherLink", models.PROTECT, null=True, db_constraint=False, related_name="intents"
    )
    # For edit_payout: what is to stand at the pool, and what stood there right before the call.
    payout_destination = models.CharField(max_length=32, null=True)
    payout_address = models.CharField(max_length=100, null=True)
    payout_destination_before = models.CharField(max_length=32, null=True)
    payout_address_before = models.CharField(max_length=100, null=True)
    asked_by = models.CharField(max_length=254, blank=True, default="")  # as the audit names people and programs
    created_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)  # calls that went out
    called_at = models.DateTimeField(null=True)
    looked_at = models.DateTimeField(null=True)  # when a worker last began to look at the pool for it
    nothing_seen_at = models.DateTimeField(null=True)  # when a look that could be certain first found no effect
    settled_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "code"], name="mining_intent_code"),
            models.UniqueConstraint(
                fields=["provider", "mining_account"],
                condition=models.Q(state__in=["planned", "called"]) & ~models.Q(kind="create_link"),
                name="mining_intent_one_open",
            ),
            models.UniqueConstraint(
                fields=["provider", "watcher_link"],
                condition=models.Q(watcher_link__isnull=False),
                name="mining_intent_one_per_link",
            ),
        ]
