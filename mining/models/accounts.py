"""The keys to the pool, the mining accounts they open, and what we meant to do there."""

from functools import partial

from django.db import models

from customers.codes import new_code
from customers.models import Customer, TenantModel
from customers.sealing import Place


class Credential(TenantModel):
    """A pool API key. Its label names the WhiteBIT user: keys under one label replace each other."""

    class State(models.TextChoices):
        CHECKING = "checking"  # pasted, a worker has not verified it yet
        ACTIVE = "active"
        REFUSED = "refused"  # the pool refused it: it is not used until a person acts
        RETIRED = "retired"

    code = models.CharField(max_length=32, default=partial(new_code, "crd"), editable=False)
    label = models.CharField(max_length=64)
    state = models.CharField(max_length=16, choices=State, default=State.CHECKING)
    sealed_api_key = models.TextField()
    sealed_secret = models.TextField()
    key_hint = models.CharField(max_length=8)  # the last four characters, for a person to tell keys apart
    created_at = models.DateTimeField()
    verified_at = models.DateTimeField(null=True)
    last_success_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "code"], name="mining_credential_code"),
            models.UniqueConstraint(
                fields=["provider", "label"],
                condition=models.Q(state="active"),
                name="mining_credential_one_active",
            ),
        ]

    def place(self, field: str) -> Place:
        return Place(provider=self.provider.code, credential=self.code, field=field)


class MiningAccount(TenantModel):
    """An account at the pool, unique by (provider, label, name). It stays with its customer for ever."""

    class State(models.TextChoices):
        CREATING = "creating"
        ACTIVE = "active"
        UNKNOWN = "unknown"  # named by a reward or by us, but not (or no longer) listed by the pool
        DISABLED = "disabled"

    code = models.CharField(max_length=32, default=partial(new_code, "acc"), editable=False)
    label = models.CharField(max_length=64)
    name = models.CharField(max_length=255)
    customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, db_constraint=False, related_name="mining_accounts"
    )
    state = models.CharField(max_length=16, choices=State)
    first_seen_at = models.DateTimeField()
    created_at_pool = models.DateTimeField(null=True)
    # What the pool says now; null: never read. Each group carries the moment of its reading.
    payout_destination = models.CharField(max_length=32, null=True)
    payout_address = models.CharField(max_length=100, null=True)
    payout_read_at = models.DateTimeField(null=True)
    workers_online = models.PositiveIntegerField(null=True)
    workers_low = models.PositiveIntegerField(null=True)
    workers_offline = models.PositiveIntegerField(null=True)
    pool_fee_percent = models.DecimalField(max_digits=7, decimal_places=4, null=True)
    workers_read_at = models.DateTimeField(null=True)
    hashrate_read_at = models.DateTimeField(null=True)

    customer_field = "customer"

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "code"], name="mining_account_code"),
            models.UniqueConstraint(fields=["provider", "label", "name"], name="mining_account_name"),
            models.UniqueConstraint(fields=["provider", "customer"], name="mining_account_one_per_customer"),
        ]


class PoolIntent(TenantModel):
    """What we are about to do at the pool, written before the call: on doubt we read back and settle, never repeat."""

    class Kind(models.TextChoices):
        CREATE_ACCOUNT = "create_account"
        ADOPT_ACCOUNT = "adopt_account"

    class State(models.TextChoices):
        PLANNED = "planned"  # no call made yet
        CALLED = "called"  # the call went out, its outcome is not settled
        DONE = "done"
        FAILED = "failed"  # surely without effect; `problem` says why
        UNKNOWN = "unknown"  # needs a person

    code = models.CharField(max_length=32, default=partial(new_code, "int"), editable=False)
    kind = models.CharField(max_length=32, choices=Kind)
    state = models.CharField(max_length=16, choices=State, default=State.PLANNED)
    mining_account = models.ForeignKey(MiningAccount, models.PROTECT, db_constraint=False, related_name="intents")
    created_at = models.DateTimeField()
    called_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "code"], name="mining_intent_code"),
            models.UniqueConstraint(
                fields=["provider", "mining_account"],
                condition=models.Q(state__in=["planned", "called"]),
                name="mining_intent_one_open",
            ),
        ]
