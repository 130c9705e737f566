"""One reading of one subject from the pool, and how it went."""

from functools import partial

from django.db import models

from customers.codes import new_code
from customers.models import TenantModel
from mining.models.logins import PoolLogin


class Subject(models.TextChoices):
    """With the words that pages and the API's description have for them."""

    ACCOUNTS = "accounts", "Accounts"
    REWARDS = "rewards", "Rewards"
    HASHRATE = "hashrate", "Hashrate"
    WORKERS = "workers", "Machines"
    PAYOUTS = "payouts", "Payout destinations"
    WATCHERS = "watchers", "Watcher links"
    KEY = "key", "Key check"  # verification of a credential


class Depth(models.TextChoices):
    """How far back a run reads rewards, from the newest one known."""

    NEWEST = "newest"  # one page, which said nothing new
    RECENT = "recent"
    DEEP = "deep"
    FULL = "full"


class SyncRun(TenantModel):
    class State(models.TextChoices):
        QUEUED = "queued"  # asked for, no worker has taken it yet
        RUNNING = "running"
        OK = "ok"
        PARTIAL = "partial"  # done, but some records or accounts could not be read
        FAILED = "failed"

    code = models.CharField(max_length=32, default=partial(new_code, "run"), editable=False)
    login = models.ForeignKey(PoolLogin, models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    subject = models.CharField(max_length=16, choices=Subject)
    depth = models.CharField(max_length=16, choices=Depth, blank=True, default="")  # of rewards; else empty
    reads_from = models.DateTimeField(null=True)  # of rewards: the first moment that is read; null: all of them
    state = models.CharField(max_length=16, choices=State)
    asked = models.BooleanField(default=False)  # a person waits for it
    # A long run works in turns: the account (its primary key) after which the next turn goes on. It begins after the
    # one where the run before it failed, and comes to those before that at its end.
    resume_after = models.BigIntegerField(null=True)
    begins_after = models.BigIntegerField(default=0)
    # How many turns it has had. A worker is told the turn, and takes no other: however often it is dispatched, it
    # is taken once and queues one next turn.
    turns = models.PositiveIntegerField(default=0)
    # Whether the pool answered for any account in a turn so far: a run that read nothing has failed, in however many.
    accounts_answered = models.BooleanField(default=False)
    queued_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)  # a running run whose lease is over was lost with its worker
    finished_at = models.DateTimeField(null=True)
    calls = models.PositiveIntegerField(default=0)
    rows_new = models.PositiveIntegerField(default=0)
    rows_changed = models.PositiveIntegerField(default=0)
    quarantined = models.PositiveIntegerField(default=0)
    # Decorations (times of payment, rates, hashes) that were sent in a form nobody can read, by subject and field: they
    # are left empty and their records count, so a run with some is ok all the same.
    unread_fields = models.JSONField(default=dict)
    error = models.CharField(max_length=500, blank=True, default="")

    OPEN = (State.QUEUED, State.RUNNING)
    DONE = (State.OK, State.PARTIAL)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "code"], name="mining_run_code"),
            models.UniqueConstraint(
                fields=["provider", "login", "subject"],
                condition=models.Q(state__in=["queued", "running"]),
                name="mining_run_one_open",
            ),
        ]
        indexes = [
            models.Index(fields=["provider", "-id"], name="mining_run_newest"),
            models.Index(fields=["provider", "login", "subject", "-id"], name="mining_run_subject"),
            models.Index(fields=["provider", "queued_at"], name="mining_run_queued"),
        ]

    @property
    def unread_sentence(self) -> str:
        """What could not be read and costs nothing; empty when there is nothing."""
        counted = [f"{count:,} × {field.partition('.')[2]}" for field, count in sorted(self.unread_fields.items())]
        if not counted:
            return ""
        return f"Left empty, because nobody can read what the pool says: {', '.join(counted)}. The records count."
