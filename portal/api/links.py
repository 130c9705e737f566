"""Watcher links: pages of the pool that show one account to whoever has the address, and that nobody can take back."""

from __future__ import annotations

from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from customers.models import Customer
from customers.tenancy import Access
from mining.links import issuing
from mining.models import LinkLifetime, LinkPermission, MiningAccount, WatcherLink
from mining.models.links import WatcherLinkQuerySet
from portal.api.auth import LINKS_FOREVER, may
from portal.api.base import ListView, ResourceView, wrong
from portal.api.fields import Choice, Choices, Code, Flag, InputSerializer, OrNull
from portal.api.paging import PageSerializer
from portal.api.problems import Conflict
from portal.api.schema import list_operation, operation

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


class WatcherLinkQuerySerializer(PageSerializer):
    customer = Code("cus", required=False)
    mining_account = Code("acc", required=False)
    state = serializers.ChoiceField(choices=STATES, required=False)
    origin = serializers.ChoiceField(choices=WatcherLink.Origin.choices, required=False)


def with_owners(access: Access) -> WatcherLinkQuerySet:
    return WatcherLink.objects.visible_to(access).select_related("customer", "mining_account")


class LinkView(ResourceView):
    resource = "watcher-links"

    def made(self, link: WatcherLink) -> Response:
        return self.one(
            WatcherLinkSerializer,
            with_owners(self.access).get(pk=link.pk),
            status=202,
            at=reverse("api:watcher-link", args=[link.code]),
        )


class WatcherLinkList(LinkView, ListView):
    query = WatcherLinkQuerySerializer

    @list_operation(
        "watcher_links_list", "List watcher links, newest first", WatcherLinkSerializer, WatcherLinkQuerySerializer
    )
    def get(self, request: Request) -> Response:
        asked = self.filters(customer="customer__code", mining_account="mining_account__code", origin="origin")
        rows = with_owners(self.access).filter(**asked)
        if "state" in self.asked:
            rows = self._in_state(rows, self.asked["state"])
        page, following = self.keyset(rows, anchors=WatcherLink.objects.visible_to(self.access))
        return self.listed(WatcherLinkSerializer, page, following)

    def _in_state(self, rows: WatcherLinkQuerySet, state: str) -> WatcherLinkQuerySet:
        if state == "active":
            return rows.live(self.now)
        return rows.over(self.now) if state == ENDED else rows.filter(state=state)

    @operation(
        "watcher_links_create",
        "Make a watcher link",
        WatcherLinkSerializer,
        body=NewLinkSerializer,
        status=202,
        refusals=(400, 401, 403, 409),
        description="A worker makes it at the pool: read it again until its state is active. An active link with the"
        " same permissions and lifetime is answered instead while half of its time is left. An account has at most"
        " three active links, and no link can be taken back.",
    )
    def post(self, request: Request) -> Response:
        asked = self.body(NewLinkSerializer)
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
            raise Conflict(f"{customer.name} has no mining account that a link could show.")
        return self.made(issuing.issue_link(self.access, account, **asked, now=self.now))


class WatcherLinkDetail(LinkView):
    @operation("watcher_links_read", "One watcher link", WatcherLinkSerializer)
    def get(self, request: Request, id: str) -> Response:
        return self.one(WatcherLinkSerializer, get_object_or_404(with_owners(self.access), code=id))

    @operation(
        "watcher_links_change",
        "Let a link renew itself, or no longer",
        WatcherLinkSerializer,
        body=LinkChangesSerializer,
        refusals=(400, 401, 403, 404, 409),
    )
    def patch(self, request: Request, id: str) -> Response:
        link = get_object_or_404(with_owners(self.access), code=id)
        issuing.set_renewal(self.access, link, renews=self.body(LinkChangesSerializer)["renews"], now=self.now)
        return self.one(WatcherLinkSerializer, with_owners(self.access).get(pk=link.pk))


class RenewalSerializer(InputSerializer):
    """{} or no body at all, unless it is early."""

    early_confirmed = Flag(
        required=False,
        default=False,
        help_text="true: a second link is wanted although at least half of this one's life is left.",
    )


class WatcherLinkRenewal(LinkView):
    @operation(
        "watcher_links_renew",
        "Make a new link like this one",
        WatcherLinkSerializer,
        body=RenewalSerializer,
        status=202,
        refusals=(400, 401, 403, 404, 409),
        description="With the same permissions and lifetime, from now on. The old one lives on until its end, so that"
        " the two take two of the account's three places: while at least half of its life is left this is refused"
        " (409) unless early_confirmed is true. Renewing a link again answers the one that followed it.",
    )
    def post(self, request: Request, id: str) -> Response:
        early = self.body(RenewalSerializer)["early_confirmed"]
        link = get_object_or_404(with_owners(self.access), code=id)
        return self.made(issuing.renew_link(self.access, link, early_confirmed=early, now=self.now))
