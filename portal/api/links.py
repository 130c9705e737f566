"""Watcher links: pages of the pool that show one account to whoever has the address, and that nobody can take back."""

from __future__ import annotations

from datetime import datetime

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from customers.errors import Refused
from customers.models import Customer
from mining.links import issuing
from mining.models import LinkLifetime, LinkPermission, MiningAccount, WatcherLink
from mining.models.links import WatcherLinkQuerySet
from portal.api.auth import LINKS_FOREVER, may
from portal.api.base import Filter, Resource, operation, wrong
from portal.api.fields import Choice, Choices, Code, Flag, InputSerializer, OrNull

ENDED = "ended"
STATES = [
    ("creating", "asked for; a worker is making it"),
    ("active", "whoever has the address sees the page"),
    (ENDED, "its time is over, or the pool no longer lists it"),
    ("failed", "it was not made"),
    ("unknown", "nobody knows whether it was made: a person has to look"),
]
PERMISSIONS_HELP = "What it shows, one to three of: dashboard, rewards, workers."


class WatcherLinkSerializer(serializers.Serializer[WatcherLink]):
    id = serializers.CharField(source="code")
    customer = serializers.CharField(
        source="customer.code", allow_null=True, help_text="null: its account belongs to no customer yet."
    )
    mining_account = serializers.CharField(source="mining_account.code")
    permissions = serializers.ListField(
        child=serializers.ChoiceField(choices=LinkPermission.choices), help_text=PERMISSIONS_HELP
    )
    lifetime = serializers.ChoiceField(
        choices=LinkLifetime.choices,
        allow_null=True,
        help_text="As it was asked for; null: it was made outside the portal.",
    )
    live_until = serializers.DateTimeField(allow_null=True, help_text="null: for ever, or not known yet.")
    url = serializers.CharField(
        allow_null=True, help_text="Opens the page for whoever has it; null: there is none (yet)."
    )
    state = serializers.SerializerMethodField()
    origin = serializers.ChoiceField(
        choices=WatcherLink.Origin.choices, help_text="portal: made here. pool: made outside the portal."
    )
    shows_others = serializers.BooleanField(
        help_text="true: it shows other accounts too, so the customer is not shown it."
    )
    renews = serializers.BooleanField(help_text="A new one is made before this one ends.")
    created_at = serializers.DateTimeField(
        help_text="When it was asked for here; of one made outside the portal, when the pool made it."
    )
    problem = OrNull(help_text="What went wrong, in a sentence; null: nothing.")

    @extend_schema_field(serializers.ChoiceField(choices=STATES))
    def get_state(self, link: WatcherLink) -> str:
        return ENDED if link.is_over(self.context["now"]) else str(link.state)


class NewLinkSerializer(InputSerializer):
    customer = Code("cus", help_text="Whose mining account it shows.")
    permissions = Choices(
        child=Choice(choices=LinkPermission.choices),
        min_length=1,
        max_length=len(LinkPermission),
        help_text=PERMISSIONS_HELP,
    )
    lifetime = Choice(choices=LinkLifetime.choices)
    renews = Flag(required=False, default=False, help_text="Only with 7d: make a new one before this one ends.")
    forever_confirmed = Flag(
        required=False,
        default=False,
        help_text="Must be true for always: the pool cannot take a link back. Needs the scope watcher-links:always.",
    )


class LinkChangesSerializer(InputSerializer):
    renews = Flag(help_text="Whether a new one is made before this one ends.")


class RenewalSerializer(InputSerializer):
    """{} or no body at all, unless it is early."""

    early_confirmed = Flag(
        required=False,
        default=False,
        help_text="true: a second link is wanted although at least half of this one's life is left.",
    )


def in_state(links: WatcherLinkQuerySet, state: str, now: datetime) -> WatcherLinkQuerySet:
    if state == "active":
        return links.live(now)
    return links.over(now) if state == ENDED else links.filter(state=state)


class WatcherLinks(ListModelMixin, RetrieveModelMixin, Resource[WatcherLink]):
    resource = "watcher-links"
    one = "watcher link"
    model = WatcherLink
    related = ("customer", "mining_account")
    serializer_class = WatcherLinkSerializer
    filters = (
        Filter("customer", "customer__code", Code, "cus"),
        Filter("mining_account", "mining_account__code", Code, "acc"),
        Filter("state", in_state, serializers.ChoiceField, STATES),
        Filter("origin", "origin", serializers.ChoiceField, WatcherLink.Origin.choices),
    )
    enums = {
        "WatcherLinkState": STATES,
        "WatcherLinkOrigin": WatcherLink.Origin,
        "LinkPermission": LinkPermission,
        "LinkLifetime": LinkLifetime,
    }

    @operation(
        "Make a watcher link",
        body=NewLinkSerializer,
        status=202,
        description="A worker makes it at the pool: read it again until its state is active. An active link with the"
        " same permissions and lifetime is answered instead while half of its time is left. An account has at most"
        " three active links, and no link can be taken back.",
    )
    def create(self, request: Request) -> Response:
        asked = self.body()
        customer = Customer.objects.visible_to(self.access).filter(code=asked.pop("customer")).first()
        if customer is None:
            raise wrong("customer", "There is no customer with this id.")
        # A grant of its own: who may hand out links for a week may not publish a page for ever.
        if asked["lifetime"] == LinkLifetime.ALWAYS and not may(self.access.scopes, LINKS_FOREVER):
            raise PermissionDenied(f"This token lacks the scope {LINKS_FOREVER}.")
        if asked["lifetime"] == LinkLifetime.ALWAYS and not asked["forever_confirmed"]:
            raise wrong("forever_confirmed", "A link for ever cannot be taken back: send true to say that it is meant.")
        account = MiningAccount.objects.visible_to(self.access).filter(customer=customer).first()
        if account is None:
            raise Refused(
                "%(customer)s has no mining account that a link could show.",
                code="customer.no_account",
                params={"customer": customer.name},
            )
        return self.answer_anew(issuing.issue_link(self.access, account, **asked, now=self.now), located=True)

    @operation("Let a link renew itself, or no longer", body=LinkChangesSerializer)
    def partial_update(self, request: Request, id: str) -> Response:
        link = self.get_object()
        issuing.set_renewal(self.access, link, renews=self.body()["renews"], now=self.now)
        return self.answer_anew(link)

    @operation(
        "Make a new link like this one",
        body=RenewalSerializer,
        status=202,
        description="With the same permissions and lifetime, from now on. The old one lives on until its end, so that"
        " the two take two of the account's three places: while at least half of its life is left this is refused"
        " (409) unless early_confirmed is true. Renewing a link again answers the one that followed it.",
    )
    @action(detail=True, methods=["post"])
    def renew(self, request: Request, id: str) -> Response:
        early = self.body()["early_confirmed"]
        link = issuing.renew_link(self.access, self.get_object(), early_confirmed=early, now=self.now)
        return self.answer_anew(link, located=True)
