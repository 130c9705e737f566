"""Watcher links: issued for a customer's account, handed on and renewed by people, in the request's transaction.

Whoever has a link's address sees the page, and the pool cannot take a link back: what is issued lives to its end.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from customers import audit
from customers.codes import new_code
from customers.errors import Refused
from customers.leaving import held_open
from customers.models import Customer
from customers.tenancy import Access
from mining import dispatch
from mining.keys import logins
from mining.links.reconcile import MOST_ACTIVE
from mining.links.room import Room, room
from mining.links.rules import RENEW_LATE, Origin, State
from mining.models import LinkLifetime, LinkPermission, MiningAccount, PoolIntent, WatcherLink


def issue_link(
    access: Access,
    account: MiningAccount,
    *,
    permissions: Iterable[str],
    lifetime: str,
    renews: bool = False,
    forever_confirmed: bool = False,
    now: datetime,
) -> WatcherLink:
    """A link of ours that shows just this, and lives just so long: one that is there already, or a new one that a
    worker makes. Raises Refused. Inside the provider's context."""
    shown = _checked_permissions(permissions)
    _check_lifetime(lifetime, renews=renews, forever_confirmed=forever_confirmed)
    with transaction.atomic():
        locked = _locked(access, account)
        link = _alike(access, locked, shown, lifetime, now=now)
        if link is None:
            return _new_link(access, locked, shown, lifetime, renews=renews, now=now)
        if renews and not link.renews:
            set_renewal(access, link, renews=True, now=now)
    return link


def renew_link(access: Access, link: WatcherLink, *, early_confirmed: bool = False, now: datetime) -> WatcherLink:
    """Another one that shows the same for as long; the old one lives to its end. Renewing twice makes one.

    While half of its life is left a link is handed on, as `issue_link` does, and not renewed: two would take two of
    the account's three places until they end. `early_confirmed`: somebody was told that and wants it. Raises Refused.
    """
    if link.origin != Origin.PORTAL or link.lifetime is None:
        raise Refused("This link was made outside the portal. Issue a new one instead.", code="link.not_ours")
    if link.lifetime == LinkLifetime.ALWAYS:
        raise Refused("This link never ends: there is nothing to renew.", code="link.endless")
    with transaction.atomic():
        account = _locked(access, link.mining_account)
        old = WatcherLink.objects.visible_to(access).select_related("successor").get(pk=link.pk)
        if old.successor is not None and old.successor.state != State.FAILED:
            return old.successor
        if old.pool_id is None:
            raise Refused("This link has not been made yet: there is nothing to renew.", code="link.not_made")
        if _is_long_over(old, now=now):
            raise _over()
        if old.is_young(now) and not early_confirmed:
            raise _too_early(old)
        new = _new_link(access, account, old.permissions, link.lifetime, renews=old.renews, now=now)
        WatcherLink.objects.visible_to(access).filter(pk=old.pk).update(successor=new, problem="")
    link.successor = new
    audit.record(access, "link.renewed", link.code, now=now, successor=new.code)
    return new


def _over() -> Refused:
    return Refused("This link is over: issue a new one.", code="link.over")


def _too_early(link: WatcherLink) -> Refused:
    return Refused(
        "This link still works until %(ends)s UTC: hand that one on, or confirm that you"
        " want a second one, which takes another of the account's %(most)d places until it ends.",
        code="link.still_works",
        params={"ends": f"{link.live_until:%Y-%m-%d at %H:%M}", "most": MOST_ACTIVE},
    )


def set_renewal(access: Access, link: WatcherLink, *, renews: bool, now: datetime) -> None:
    """Whether a new one is made by itself before this one ends, or the newest of those that followed it."""
    if renews and (link.lifetime != LinkLifetime.WEEK or link.origin != Origin.PORTAL):
        raise Refused("Only links of 7 days that were issued here renew themselves.", code="link.not_renewable")
    with transaction.atomic():
        account = _held(access, link.mining_account)
        if renews and account.customer is not None:
            held_open(access, account.customer)
        line = _with_successors(access, link)
        newest = line[-1]
        if renews and (newest.state == State.FAILED or newest.is_over(now)):
            raise _over()
        # All of them: when the newest is not made after all, the one before it is renewed again, or not.
        links = WatcherLink.objects.visible_to(access).filter(pk__in=[successor.pk for successor in line])
        changed = links.exclude(renews=renews).update(renews=renews)
        link.renews = renews
        if changed:
            details = {"renews": "yes" if renews else "no", "newest": newest.code if newest != link else None}
            audit.record(access, "link.renewal_set", link.code, now=now, **details)


def end_renewals(access: Access, customer: Customer, *, now: datetime) -> None:
    """For a customer that leaves: what is issued lives to its end, and nothing follows it."""
    for link in WatcherLink.objects.visible_to(access).filter(customer=customer, renews=True).order_by("pk"):
        set_renewal(access, link, renews=False, now=now)


def _with_successors(access: Access, link: WatcherLink) -> list[WatcherLink]:
    """The link as it is now, and those that followed it, the newest last. Whoever has its id means the newest."""
    line = [WatcherLink.objects.visible_to(access).select_related("successor").get(pk=link.pk)]
    while (successor := line[-1].successor) is not None and successor.state != State.FAILED:
        line.append(WatcherLink.objects.visible_to(access).select_related("successor").get(pk=successor.pk))
    return line


def _is_long_over(link: WatcherLink, *, now: datetime) -> bool:
    """Too long for a renewal that nobody has missed; and what vanished before its end somebody wanted to end."""
    if link.state == State.GONE and link.ended_at != link.live_until:
        return True
    return link.live_until is not None and link.live_until <= now - RENEW_LATE


def _checked_permissions(permissions: Iterable[str]) -> list[str]:
    asked = set(permissions)
    if not asked:
        raise Refused("Choose at least one thing that the link shows.", code="link.shows_nothing")
    if unknown := sorted(asked - set(LinkPermission.values)):
        raise Refused(
            "A link cannot show %(permission)r: it shows %(permissions)s.",
            code="link.permission_unknown",
            params={"permission": unknown[0], "permissions": ", ".join(LinkPermission.values)},
        )
    return [word for word in LinkPermission.values if word in asked]


def _check_lifetime(lifetime: str, *, renews: bool, forever_confirmed: bool) -> None:
    if lifetime not in LinkLifetime.values:
        raise Refused(
            "A link lives for one of %(lifetimes)s.",
            code="link.lifetime_unknown",
            params={"lifetimes": ", ".join(LinkLifetime.values)},
        )
    if lifetime == LinkLifetime.ALWAYS and not forever_confirmed:
        raise Refused(
            "A link for ever can never be taken back, not even by the pool. Confirm that this is meant.",
            code="link.forever_unconfirmed",
        )
    if renews and lifetime != LinkLifetime.WEEK:
        raise Refused("Only links of 7 days renew themselves.", code="link.not_renewable")


def _held(access: Access, account: MiningAccount) -> MiningAccount:
    """So that two clicks issue one link, and nobody renews what somebody else is just stopping."""
    return MiningAccount.objects.visible_to(access).select_for_update(no_key=True).get(pk=account.pk)


def _locked(access: Access, account: MiningAccount) -> MiningAccount:
    """The account's row, held. Raises Refused when it can have no link."""
    locked = _held(access, account)
    if locked.state == MiningAccount.State.CREATING:
        raise Refused(
            "The account %(account)r is still being created. Try again in a minute.",
            code="account.being_created",
            params={"account": locked.name},
        )
    if locked.unlisted_since is not None:
        raise Refused(
            "The pool does not list the account %(account)r now, so it makes no links for it.",
            code="account.not_listed",
            params={"account": locked.name},
        )
    if (why := logins.why_unread(access, locked.login)) is not None:
        raise why
    return locked


def _alike(
    access: Access, account: MiningAccount, permissions: list[str], lifetime: str, *, now: datetime
) -> WatcherLink | None:
    """A link of ours to hand out again: half of its life is left, and it lives no longer than was asked for."""
    alike = WatcherLink.objects.visible_to(access).filter(
        mining_account=account,
        origin=Origin.PORTAL,
        permissions=permissions,
        lifetime=lifetime,
        shows_others=False,
        successor=None,
    )
    half = LinkLifetime(lifetime).half
    ends = Q(live_until=None) if half is None else Q(live_until__gte=now + half)
    return alike.filter(Q(ends, state=State.ACTIVE) | Q(state=State.CREATING)).order_by("-pk").first()


def _new_link(
    access: Access, account: MiningAccount, permissions: list[str], lifetime: str, *, renews: bool, now: datetime
) -> WatcherLink:
    """Inside the transaction that holds the account's row."""
    customer = account.customer
    if customer is None:
        raise Refused(
            "The account %(account)r belongs to no customer yet.",
            code="account.no_customer",
            params={"account": account.name},
        )
    held_open(access, customer)
    taken = room(access, account, now=now)
    if taken.is_full:
        raise _full(account, taken)
    code = new_code("int")
    link = WatcherLink.objects.create(
        provider=access.provider,
        mining_account=account,
        customer=customer,
        state=State.CREATING,
        origin=Origin.PORTAL,
        name=f"portal_{code}",  # the intent's mark: random, so that nobody else's link has it
        permissions=permissions,
        lifetime=lifetime,
        renews=renews,
        created_at=now,
    )
    intent = PoolIntent.objects.create(
        provider=access.provider,
        code=code,
        kind=PoolIntent.Kind.CREATE_LINK,
        customer=customer,
        login_id=account.login_id,
        account_name=account.name,
        mining_account=account,
        watcher_link=link,
        asked_by=access.actor,
        created_at=now,
    )
    shows = ", ".join(permissions)
    audit.record(access, "link.issued", link.code, now=now, account=account.code, shows=shows, lifetime=lifetime)
    dispatch.after_commit("mining.tasks.settle_intent", access.provider.pk, intent.pk)
    return link


def _full(account: MiningAccount, taken: Room) -> Refused:
    if taken.next_end_at is None:
        ends = "None of them is known to end."
    else:
        ends = f"The next one ends on {taken.next_end_at:%Y-%m-%d at %H:%M} UTC."
    if taken.unseen and taken.counted_at is not None:
        ends += f" The pool alone knows {taken.unseen} of them, as of {taken.counted_at:%Y-%m-%d at %H:%M} UTC."
    return Refused(
        "The account %(account)r has %(used)d active watcher links, and the pool allows %(most)d. %(ends)s",
        code="link.no_room",
        params={"account": account.name, "used": taken.used, "most": taken.most, "ends": ends},
    )
