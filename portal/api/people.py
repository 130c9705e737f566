"""Who can sign in for a customer: its people, and the invitations that are open. The provider's own staff is not here:
who is on it is decided by a person with a fresh second factor, which a program cannot give."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from customers import members
from customers.models import ROLES, Customer, Invitation, MemberKind, Membership, Role
from portal.api.base import Filter, Resource, operation, wrong
from portal.api.fields import Choice, Code, Email, InputSerializer, NothingSerializer, QueryFlag
from portal.invitations import send_invitation

ROLE_CHOICES = [(role.value, role.label) for role in ROLES[MemberKind.CUSTOMER]]


class MemberSerializer(serializers.Serializer[Membership]):
    id = serializers.CharField(source="code")
    customer = serializers.CharField(source="customer.code")
    name = serializers.CharField(source="user.name")
    email = serializers.EmailField(source="user.email")
    role = serializers.ChoiceField(choices=ROLE_CHOICES)
    is_active = serializers.BooleanField(help_text="false: the access has ended; an invitation brings them back.")
    created_at = serializers.DateTimeField()


class Members(ListModelMixin, RetrieveModelMixin, Resource[Membership]):
    resource = "members"
    one = "member"
    about = "People of customers, also those whose access has ended. The provider's staff is not listed."
    model = Membership
    related = ("customer", "user")
    serializer_class = MemberSerializer
    filters = (
        Filter("customer", "customer__code", Code, "cus"),
        Filter("is_active", "is_active", QueryFlag),
    )
    enums = {"CustomerRole": ROLE_CHOICES}

    def visible(self) -> QuerySet[Membership]:
        return super().visible().filter(kind=MemberKind.CUSTOMER)

    @operation(
        "End a member's access",
        body=NothingSerializer,
        description="The person is refused from the next request on, until invited again. Repeating is safe.",
    )
    @action(detail=True, methods=["post"])
    def end(self, request: Request, id: str) -> Response:
        self.body()
        member = self.row()
        members.end_membership(self.access, member, now=self.now)
        return self.answer_anew(member)


# --- Invitations

STATES = [
    ("open", "its link works"),
    ("accepted", "the person is a member"),
    ("revoked", "its link was taken back, or a newer one was sent"),
    ("expired", "its time is over"),
]


class InvitationSerializer(serializers.Serializer[Invitation]):
    id = serializers.CharField(source="code")
    customer = serializers.CharField(source="customer.code")
    email = serializers.EmailField()
    role = serializers.ChoiceField(choices=ROLE_CHOICES)
    state = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()

    @extend_schema_field(serializers.ChoiceField(choices=STATES))
    def get_state(self, invitation: Invitation) -> str:
        if invitation.accepted_at is not None:
            return "accepted"
        if invitation.revoked_at is not None:
            return "revoked"
        return "open" if invitation.is_open(self.context["now"]) else "expired"


class NewInvitationSerializer(InputSerializer):
    customer = Code("cus")
    email = Email(max_length=254, help_text="Gets the link by mail. It is in no answer.")
    role = Choice(choices=ROLE_CHOICES)


def in_state(invitations: QuerySet[Invitation], state: str, now: datetime) -> QuerySet[Invitation]:
    unused = Q(accepted_at=None, revoked_at=None)
    return invitations.filter(
        {
            "open": unused & Q(expires_at__gt=now),
            "accepted": Q(accepted_at__isnull=False),
            "revoked": Q(accepted_at=None, revoked_at__isnull=False),
            "expired": unused & Q(expires_at__lte=now),
        }[state]
    )


class Invitations(ListModelMixin, RetrieveModelMixin, Resource[Invitation]):
    resource = "invitations"
    one = "invitation"
    about = "To customers' people. Those to the provider's staff are not listed."
    model = Invitation
    related = ("customer",)
    serializer_class = InvitationSerializer
    filters = (
        Filter("customer", "customer__code", Code, "cus"),
        Filter("state", in_state, serializers.ChoiceField, STATES),
    )
    enums = {"InvitationState": STATES}

    def visible(self) -> QuerySet[Invitation]:
        return super().visible().filter(kind=MemberKind.CUSTOMER)

    @operation(
        "Invite somebody of a customer",
        body=NewInvitationSerializer,
        status=201,
        description="Mails a link that works for 7 days. An open one to the same address is revoked by it.",
    )
    def create(self, request: Request) -> Response:
        asked = self.body()
        customer = Customer.objects.visible_to(self.access).filter(code=asked["customer"]).first()
        if customer is None:
            raise wrong("customer", "There is no customer with this id.")
        invited = members.invite_member(
            self.access,
            email=asked["email"],
            kind=MemberKind.CUSTOMER,
            role=Role(asked["role"]),
            customer=customer,
            now=self.now,
        )
        send_invitation(invited, customer_name=customer.name)
        return self.answer_anew(invited.invitation, located=True)

    @operation("Revoke an invitation", body=NothingSerializer, description="Its link stops working. Repeating is safe.")
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, id: str) -> Response:
        self.body()
        invitation = self.row()
        members.revoke_invitation(self.access, invitation, now=self.now)
        return self.answer_anew(invitation)
