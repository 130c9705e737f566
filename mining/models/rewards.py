"""Rewards as the pool tells them: the current fact, every observation that changed it, and what was not taken in."""

from functools import partial

from django.db import models
from django.db.models import F, Q

from customers.codes import new_code
from customers.models import Customer, TenantModel
from mining.models.accounts import MiningAccount
from mining.models.logins import PoolLogin
from mining.models.runs import SyncRun


class RewardStatus(models.TextChoices):
    PENDING = "pending"
    SUCCESSFUL = "successful"
    CANCELED = "canceled"
    UNKNOWN = "unknown"  # the pool said something else: kept raw, not billed


class Destination(models.TextChoices):
    MAIN_BALANCE = "main_balance"
    EXTERNAL_ADDRESS = "external_address"
    UNKNOWN = "unknown"


IN_DOUBT = (
    Q(missing_since__isnull=False)
    | Q(status__in=[RewardStatus.PENDING, RewardStatus.UNKNOWN])
    | Q(payout_destination=Destination.UNKNOWN)
    | ~Q(currency="BTC")
)


class Reward(TenantModel):
    """One reward record. The pool gives no id; what it is matched by stands in mining/rewards/matching.py.

    Amounts: `*_raw` as the pool wrote them, NUMERIC beside, and satoshi: total and net half-even, fee = total − net.
    """

    code = models.CharField(max_length=32, default=partial(new_code, "rwd"), editable=False)
    mining_account = models.ForeignKey(MiningAccount, models.PROTECT, db_constraint=False, related_name="rewards")
    # The account's customer, null while unassigned. Kept here so that the policy and lists need no join.
    customer = models.ForeignKey(Customer, models.PROTECT, null=True, db_constraint=False, related_name="rewards")
    reward_at = models.DateTimeField()
    day = models.DateField()  # the UTC date of reward_at
    currency = models.CharField(max_length=16)
    occurrence = models.PositiveSmallIntegerField()  # which one of the account's records of this day and currency
    total_raw = models.CharField(max_length=64)
    net_raw = models.CharField(max_length=64)
    fee_raw = models.CharField(max_length=64)
    total_amount = models.DecimalField(max_digits=38, decimal_places=18)
    net_amount = models.DecimalField(max_digits=38, decimal_places=18)
    fee_amount = models.DecimalField(max_digits=38, decimal_places=18)
    total_sat = models.BigIntegerField()
    net_sat = models.BigIntegerField()
    fee_sat = models.BigIntegerField()
    fpps_rate = models.DecimalField(max_digits=38, decimal_places=18, null=True)
    hashrate_hs = models.DecimalField(max_digits=38, decimal_places=6, null=True)
    status = models.CharField(max_length=16, choices=RewardStatus)
    status_raw = models.CharField(max_length=64)
    payout_destination = models.CharField(max_length=32, choices=Destination)
    payout_address = models.CharField(max_length=128, null=True)
    transaction_hash = models.CharField(max_length=128, null=True)
    paid_at = models.DateTimeField(null=True)
    fingerprint = models.CharField(max_length=64)  # SHA-256 of the record's canonical text: equal records pair by it
    first_seen_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    missing_since = models.DateTimeField(null=True)  # no longer listed by the pool: an alert, never a cancellation

    customer_field = "customer"

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "code"], name="mining_reward_code"),
            models.UniqueConstraint(
                fields=["provider", "mining_account", "day", "currency", "occurrence"],
                name="mining_reward_identity",
            ),
            models.CheckConstraint(
                condition=Q(total_sat=F("net_sat") + F("fee_sat")), name="mining_reward_sat_identity"
            ),
            models.CheckConstraint(
                condition=Q(total_amount=F("net_amount") + F("fee_amount")),
                name="mining_reward_amount_identity",
            ),
            models.CheckConstraint(condition=Q(net_sat__gte=0, fee_sat__gte=-1), name="mining_reward_not_negative"),
            models.CheckConstraint(condition=Q(occurrence__gte=1), name="mining_reward_occurrence"),
        ]
        indexes = [
            models.Index(fields=["provider", "-day", "-id"], name="mining_reward_day"),
            models.Index(fields=["provider", "customer", "-day", "-id"], name="mining_reward_customer_day"),
            # What billing has to ask about before a document is issued: few, however many rewards there are.
            models.Index(fields=["provider", "customer"], condition=IN_DOUBT, name="mining_reward_in_doubt"),
        ]

    @property
    def is_final(self) -> bool:
        return self.status == RewardStatus.SUCCESSFUL and self.missing_since is None


class RewardObservation(TenantModel):
    """What the pool said about a reward, written only when it said something new. Append-only."""

    reward = models.ForeignKey(Reward, models.PROTECT, db_constraint=False, related_name="observations")
    sync_run = models.ForeignKey(SyncRun, models.PROTECT, db_constraint=False, related_name="+")
    seen_at = models.DateTimeField()
    fingerprint = models.CharField(max_length=64)
    raw = models.TextField()  # the record as canonical JSON text: numbers keep every digit
    moved_from = models.DateTimeField(null=True)  # where the record stood before, when the pool dates it anew

    append_only = True

    class Meta:
        indexes = [models.Index(fields=["provider", "reward", "seen_at"], name="mining_observation_reward")]


class Settlement(models.TextChoices):
    """What became of a quarantined record: a person said so, or a later reading could tell."""

    ANOTHER = "another"  # a reward of its own: taken in
    SAME = "same"  # a reward that we have: listed twice, moved, or changed
    DISMISSED = "dismissed"  # no reward, for good
    READ_AGAIN = "read_again"  # it can be read by now: the next reading takes it in
    TAKEN_IN = "taken_in"  # a later reading knew where it belongs


class QuarantinedRecord(TenantModel):
    """A record not taken in: malformed, a twin, a change that nobody can match, or one that moved or is new.

    Settled once and for ever: the same record asks nobody again, however often it is read.
    """

    code = models.CharField(max_length=32, default=partial(new_code, "qtn"), editable=False)
    login = models.ForeignKey(PoolLogin, models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    account_name = models.CharField(max_length=255, blank=True, default="")
    sync_run = models.ForeignKey(SyncRun, models.PROTECT, db_constraint=False, related_name="+")
    reason = models.CharField(max_length=64)
    fingerprint = models.CharField(max_length=64)
    raw = models.TextField()
    day = models.DateField(null=True)  # the UTC date of a reward; null: nobody can tell
    seen_at = models.DateTimeField()
    settled_as = models.CharField(max_length=16, choices=Settlement, blank=True, default="")
    settled_at = models.DateTimeField(null=True)
    settled_by = models.CharField(max_length=254, blank=True, default="")  # as the audit names people and programs
    note = models.CharField(max_length=500, blank=True, default="")
    # What it became, or which one it is; null: neither.
    reward = models.ForeignKey(Reward, models.PROTECT, null=True, db_constraint=False, db_index=False, related_name="+")

    class Meta:
        indexes = [
            models.Index(
                fields=["provider", "login", "account_name"],
                condition=Q(settled_at=None),
                name="mining_quarantine_open",
            )
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(settled_at=None, settled_as="", settled_by="", note="", reward=None)
                | (Q(settled_at__isnull=False) & ~Q(settled_as="") & ~Q(settled_by="")),
                name="mining_quarantine_settled",
            ),
            models.UniqueConstraint(fields=["provider", "code"], name="mining_quarantine_code"),
            # The same record is quarantined once, however often it is read again.
            models.UniqueConstraint(
                fields=["provider", "login", "fingerprint", "reason"], name="mining_quarantine_once"
            ),
        ]
