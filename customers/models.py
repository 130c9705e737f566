"""Who there is: providers (the tenants), people, memberships, customers, invitations, API tokens, and the audit."""

from __future__ import annotations

import uuid
from datetime import datetime
from functools import partial
from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower

from customers.codes import new_code
from customers.tenancy import TenantQuerySet


class Provider(models.Model):
    """The tenant. A directory table: it is read before the tenant is known, so it holds nothing private."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        # Everything rests: nobody enters, its API tokens are refused, nothing is read, planned, renewed, closed, mailed
        # or rendered (customers/providers.py), and the operator's commands refuse to. What is kept stays as it is, is
        # verified and sealed anew like all others', and goes on where it stopped once the provider is active again.
        SUSPENDED = "suspended"

    code = models.CharField(max_length=32, unique=True, default=partial(new_code, "prv"), editable=False)
    slug = models.SlugField(max_length=63, unique=True)
    name = models.CharField(max_length=200)
    hostname = models.CharField(max_length=253, unique=True, null=True, blank=True)
    status = models.CharField(max_length=16, choices=Status, default=Status.ACTIVE)

    def __str__(self) -> str:
        return self.slug


class TenantModel(models.Model):
    """A row of one provider. Its migration puts it behind the wall (customers/row_security.py)."""

    # No index of its own: every other index begins with it. (Alone it is chosen for foreign-key checks, which then read
    # all rows of a provider: a close that follows a rolled-back one never ended.)
    provider = models.ForeignKey(Provider, models.PROTECT, db_index=False, related_name="+")

    # Where a row names its customer, for visible_to; None: only staff and systems see it.
    customer_field: ClassVar[str | None] = None
    append_only: ClassVar[bool] = False
    # The columns that may change once a row is written; None: any.
    updatable: ClassVar[tuple[str, ...] | None] = None
    read_only: ClassVar[bool] = False  # written by triggers alone

    objects = TenantQuerySet.as_manager()

    class Meta:
        abstract = True


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=(username or "").lower())

    def create_user(self, email: str, name: str, password: str | None, *, now: datetime) -> User:
        user = User(email=email.strip().lower(), name=name.strip(), created_at=now)
        user.set_password(password)
        user.save()
        return user


class User(AbstractBaseUser):
    """A person. What a person may do is said by memberships alone: never is_staff, groups or Django permissions."""

    email = models.EmailField(max_length=254, unique=True)
    name = models.CharField(max_length=200)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    objects = UserManager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="customers_user_email_lower")
        ]

    def __str__(self) -> str:
        return self.email


class ProviderLogo(TenantModel):
    """A logo that is or was in use. Append-only: issued documents name it by its digest."""

    sha256 = models.CharField(max_length=64)
    content = models.BinaryField()  # a PNG that we made ourselves (customers/logos.py)
    width = models.PositiveSmallIntegerField()  # pixels
    height = models.PositiveSmallIntegerField()
    created_at = models.DateTimeField()

    customer_field = None
    append_only = True

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "sha256"], name="customers_logo_once")]

    @property
    def is_word(self) -> bool:
        """So wide that it holds the name; a mark stands beside the name."""
        return self.width > 2 * self.height


class ProviderProfile(TenantModel):
    """What a provider's customers see of it: on pages, mails and documents."""

    legal_name = models.CharField(max_length=200)
    address = models.TextField(blank=True, default="")
    tax_id = models.CharField(max_length=64, blank=True, default="")
    support_email = models.EmailField(blank=True, default="")
    support_phone = models.CharField(max_length=40, blank=True, default="")
    support_url = models.CharField(max_length=200, blank=True, default="")
    brand_colour = models.CharField(max_length=7, blank=True, default="")
    logo = models.ForeignKey(
        ProviderLogo, models.PROTECT, null=True, db_constraint=False, db_index=False, related_name="+"
    )

    customer_field = None

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider"], name="customers_profile_one"),
            models.CheckConstraint(
                condition=models.Q(brand_colour="") | models.Q(brand_colour__regex=r"^#[0-9a-f]{6}$"),
                name="customers_profile_colour",
            ),
            # It becomes a link on pages: nothing that a browser would run.
            models.CheckConstraint(
                condition=models.Q(support_url="") | models.Q(support_url__startswith="https://"),
                name="customers_profile_url",
            ),
        ]


class Customer(TenantModel):
    class Status(models.TextChoices):
        ACTIVE = "active"
        CLOSED = "closed"

    code = models.CharField(max_length=32, default=partial(new_code, "cus"), editable=False)
    name = models.CharField(max_length=200)
    email = models.EmailField(max_length=254)
    external_ref = models.CharField(max_length=100, null=True, blank=True)
    status = models.CharField(max_length=16, choices=Status, default=Status.ACTIVE)
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    customer_field = "pk"

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "code"], name="customers_customer_code"),
            models.UniqueConstraint(fields=["provider", "external_ref"], name="customers_customer_external_ref"),
            models.CheckConstraint(
                condition=models.Q(status="active", closed_at=None)
                | models.Q(status="closed", closed_at__isnull=False),
                name="customers_customer_closed",
            ),
        ]

    def __str__(self) -> str:
        return self.code


class MemberKind(models.TextChoices):
    STAFF = "staff"
    CUSTOMER = "customer"


class Role(models.TextChoices):
    OWNER = "owner"
    FINANCE = "finance"
    SUPPORT = "support"
    AUDITOR = "auditor"
    VIEWER = "viewer"


ROLES = {
    MemberKind.STAFF: (Role.OWNER, Role.FINANCE, Role.SUPPORT, Role.AUDITOR),
    MemberKind.CUSTOMER: (Role.OWNER, Role.VIEWER),
}


def _role_rule(name: str) -> models.CheckConstraint:
    staff = models.Q(kind=MemberKind.STAFF, customer=None, role__in=ROLES[MemberKind.STAFF])
    customer = models.Q(kind=MemberKind.CUSTOMER, customer__isnull=False, role__in=ROLES[MemberKind.CUSTOMER])
    return models.CheckConstraint(condition=staff | customer, name=name)


class Membership(TenantModel):
    """A user's place at one provider: on its staff, or as the user of one of its customers."""

    code = models.CharField(max_length=32, default=partial(new_code, "mem"), editable=False)
    user = models.ForeignKey(User, models.PROTECT, related_name="+")
    kind = models.CharField(max_length=16, choices=MemberKind)
    customer = models.ForeignKey(Customer, models.PROTECT, null=True, db_constraint=False, related_name="+")
    role = models.CharField(max_length=16, choices=Role)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    customer_field = "customer"

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "code"], name="customers_membership_code"),
            models.UniqueConstraint(
                fields=["provider", "user", "customer"],
                name="customers_membership_once",
                nulls_distinct=False,
            ),
            _role_rule("customers_membership_role"),
        ]


class Invitation(TenantModel):
    """A link by e-mail. The database holds only the digest of its secret."""

    code = models.CharField(max_length=32, default=partial(new_code, "inv"), editable=False)
    kind = models.CharField(max_length=16, choices=MemberKind)
    customer = models.ForeignKey(Customer, models.PROTECT, null=True, db_constraint=False, related_name="+")
    role = models.CharField(max_length=16, choices=Role)
    email = models.EmailField(max_length=254)
    digest = models.BinaryField(max_length=32)
    invited_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    customer_field = "customer"

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "code"], name="customers_invitation_code"),
            models.UniqueConstraint(fields=["provider", "digest"], name="customers_invitation_digest"),
            _role_rule("customers_invitation_role"),
        ]

    def is_open(self, now: datetime) -> bool:
        return self.accepted_at is None and self.revoked_at is None and now < self.expires_at


class ApiToken(TenantModel):
    """A secret of one of the provider's systems: shown once, kept as its digest."""

    code = models.CharField(max_length=32, default=partial(new_code, "tok"), editable=False)
    name = models.CharField(max_length=100)
    digest = models.BinaryField(max_length=32)
    scopes = models.JSONField()
    made_by = models.CharField(max_length=254)  # as the audit names people and programs
    created_at = models.DateTimeField()
    ends_on = models.DateField(null=True)  # its last day (UTC); null: it never ends
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)

    customer_field = None

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "code"], name="customers_token_code"),
            models.UniqueConstraint(fields=["provider", "digest"], name="customers_token_digest"),
            models.UniqueConstraint(
                fields=["provider", "name"], condition=models.Q(revoked_at=None), name="customers_token_name"
            ),
        ]

    def has_ended(self, now: datetime) -> bool:
        return self.ends_on is not None and self.ends_on < now.date()


class AuditEntry(TenantModel):
    """Who did what to which row. Append-only, written by customers' acts too: hence a UUID key and no RETURNING."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=16)
    actor = models.CharField(max_length=254)
    action = models.CharField(max_length=64)
    subject = models.CharField(max_length=64)
    details = models.JSONField(default=dict)

    customer_field = None
    append_only = True

    class Meta:
        indexes = [models.Index(fields=["provider", "-at"], name="customers_audit_at")]


class KeptCall(TenantModel):
    """A call of the API with an Idempotency-Key, and what it was answered (customers/idempotency.py)."""

    caller = models.BinaryField(max_length=32)  # the digest of the token
    method = models.CharField(max_length=8)
    route = models.CharField(max_length=200)
    key = models.CharField(max_length=255)
    body_digest = models.BinaryField(max_length=32)
    created_at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True)  # null: being done, in a transaction that nobody else sees
    body = models.TextField(default="")
    location = models.TextField(default="")

    customer_field = None

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "caller", "method", "route", "key"], name="customers_kept_call_once"
            )
        ]
        indexes = [models.Index(fields=["provider", "created_at"], name="customers_kept_call_age")]
