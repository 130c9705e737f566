"""Watcher links: issued for a customer's account, renewed before they end, and held against the pool's list.

Whoever has a link's address sees the page, and the pool cannot take a link back: what is issued lives to its end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q

from customers import audit, tenancy
from customers.codes import new_code
from customers.models import Provider
from customers.tenancy import Access, Kind
from mining import hints, link_list, logins
from mining.aside import Aside, put_aside
from mining.errors import Refused
from mining.fanout import Answers, for_each_account
from mining.link_list import LATEST, LIST_LAGS, MOST_ACTIVE, NOT_RENEWED
from mining.models import LinkLifetime, LinkPermission, MiningAccount, PoolIntent, WatcherLink
from mining.models.links import WatcherLinkQuerySet
from mining.pool.client import PoolClient
from mining.pool.types import WatcherLinks
from mining.reading import READ_AT_GRAIN, Outcome, Reading

State, Origin = WatcherLink.State, WatcherLink.Origin

RENEW_BEFORE = timedelta(hours=24)
# A renewal that failed is tried again after this, then after twice as long, and at the link's end, which frees its
# place: six tries, and then it is left to people, who are told. (The pool's cap stays full for hours; what it refuses
# else it goes on refusing.)
RENEW_AGAIN_AFTER = timedelta(hours=1)
MOST_RENEWALS = 6
# One that found no room before the end is made up for as long; then nobody has missed it.
RENEW_LATE = timedelta(days=7)
# So long links that are no rows of ours keep a place: nobody knows when they end, and the list is read once a day.
# After that one more is asked for: its worker reads the list first, and calls nothing when that is full.
UNSEEN_HOLDS = READ_AT_GRAIN
# When people are told that it has no successor yet.
RENEWED_BY = RENEW_BEFORE - timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Room:
    """How many links of an account may be active at the pool, those that are being made included."""

    used: int  # never more than `most`
    most: int
    next_end_at: datetime | None  # None: none of them is known to end
    unseen: int  # of those that are used: no rows of ours, and nobody knows when they end
    counted_at: datetime | None  # of what others made the pool's list tells, as of then; None: it was never read
    # Links, by their primary key, that renew themselves and find no place for that before they end: each is followed
    # only once it has ended, so that for minutes neither address opens anything.
    renewed_late: frozenset[int]
    is_full: bool  # by our rows and what the pool told within UNSEEN_HOLDS; otherwise one more may be asked for


# --- What there is


def room(access: Access, account: MiningAccount, *, now: datetime) -> Room:
    own = WatcherLink.objects.visible_to(access).filter(mining_account=account).select_related("successor")
    taken = list(own.taking_room(now))
    ends = [link.live_until for link in taken if link.state == State.ACTIVE and link.live_until is not None]
    ours, read_at = min(len(taken), MOST_ACTIVE), account.links_read_at
    unseen = min(account.links_unseen, MOST_ACTIVE - ours)
    late = _renewed_late(taken) if ours + unseen == MOST_ACTIVE else frozenset()
    holding = unseen if read_at is not None and now - read_at < UNSEEN_HOLDS else 0
    is_full = ours + holding == MOST_ACTIVE
    return Room(ours + unseen, MOST_ACTIVE, min(ends, default=None), unseen, read_at, late, is_full)


def _renewed_late(taken: list[WatcherLink]) -> frozenset[int]:
    """Of links that leave no place free. One that ends sooner frees its place, unless its own next one takes that."""
    ends = [(link, link.live_until) for link in taken if link.state == State.ACTIVE and link.live_until is not None]
    freed_at = min((end for link, end in ends if not _will_be_followed(link)), default=None)
    return frozenset(link.pk for link, end in ends if _will_be_followed(link) and (freed_at is None or end <= freed_at))


def _will_be_followed(link: WatcherLink) -> bool:
    """It renews itself, and its new one is still to be made."""
    if not link.renews or link.successor is None:
        return link.renews
    return link.successor.state == State.FAILED and link.renewals_failed < MOST_RENEWALS


def not_renewed(links: WatcherLinkQuerySet, *, now: datetime) -> WatcherLinkQuerySet:
    """Those that should have renewed themselves by now and have no successor that works."""
    told = Q(live_until__lte=now + RENEWED_BY) | Q(live_until__lte=now + RENEW_BEFORE, renewals_failed__gt=0)
    told |= Q(live_until__lte=now + RENEW_BEFORE, problem__startswith=NOT_RENEWED)
    return links.filter(_to_renew(now), told).exclude(successor__state=State.ACTIVE)


# --- Issuing: in the request's transaction


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
        mine = _locked(access, account)
        link = _alike(access, mine, shown, lifetime, now=now)
        if link is None:
            return _new_link(access, mine, shown, lifetime, renews=renews, now=now)
        if renews and not link.renews:
            set_renewal(access, link, renews=True, now=now)
    return link


def renew_link(access: Access, link: WatcherLink, *, early_confirmed: bool = False, now: datetime) -> WatcherLink:
    """Another one that shows the same for as long; the old one lives to its end. Renewing twice makes one.

    While half of its life is left a link is handed on, as `issue_link` does, and not renewed: two would take two of
    the account's three places until they end. `early_confirmed`: somebody was told that and wants it. Raises Refused.
    """
    if link.origin != Origin.PORTAL or link.lifetime is None:
        raise Refused("This link was made outside the portal. Issue a new one instead.")
    if link.lifetime == LinkLifetime.ALWAYS:
        raise Refused("This link never ends: there is nothing to renew.")
    with transaction.atomic():
        account = _locked(access, link.mining_account)
        old = WatcherLink.objects.visible_to(access).select_related("successor").get(pk=link.pk)
        if old.successor is not None and old.successor.state != State.FAILED:
            return old.successor
        if old.pool_id is None:
            raise Refused("This link has not been made yet: there is nothing to renew.")
        if _is_long_over(old, now=now):
            raise Refused("This link is over: issue a new one.")
        if old.is_young(now) and not early_confirmed:
            raise Refused(_too_early(old))
        new = _new_link(access, account, old.permissions, link.lifetime, renews=old.renews, now=now)
        WatcherLink.objects.visible_to(access).filter(pk=old.pk).update(successor=new, problem="")
    link.successor = new
    audit.record(access, "link.renewed", link.code, now=now, successor=new.code)
    return new


def _too_early(link: WatcherLink) -> str:
    return (
        f"This link still works until {link.live_until:%Y-%m-%d at %H:%M} UTC: hand that one on, or confirm that you"
        f" want a second one, which takes another of the account's {MOST_ACTIVE} places until it ends."
    )


def set_renewal(access: Access, link: WatcherLink, *, renews: bool, now: datetime) -> None:
    """Whether a new one is made by itself before this one ends, or the newest of those that followed it."""
    if renews and (link.lifetime != LinkLifetime.WEEK or link.origin != Origin.PORTAL):
        raise Refused("Only links of 7 days that were issued here renew themselves.")
    with transaction.atomic():
        _held(access, link.mining_account)
        line = _with_successors(access, link)
        newest = line[-1]
        if renews and (newest.state == State.FAILED or newest.is_over(now)):
            raise Refused("This link is over: issue a new one.")
        # All of them: when the newest is not made after all, the one before it is renewed again, or not.
        mine = WatcherLink.objects.visible_to(access).filter(pk__in=[one.pk for one in line])
        changed = mine.exclude(renews=renews).update(renews=renews)
        link.renews = renews
        if changed:
            said = {"renews": "yes" if renews else "no", "newest": newest.code if newest != link else None}
            audit.record(access, "link.renewal_set", link.code, now=now, **said)


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
        raise Refused("Choose at least one thing that the link shows.")
    if unknown := sorted(asked - set(LinkPermission.values)):
        raise Refused(f"A link cannot show {unknown[0]!r}: it shows {', '.join(LinkPermission.values)}.")
    return [word for word in LinkPermission.values if word in asked]


def _check_lifetime(lifetime: str, *, renews: bool, forever_confirmed: bool) -> None:
    if lifetime not in LinkLifetime.values:
        raise Refused(f"A link lives for one of {', '.join(LinkLifetime.values)}.")
    if lifetime == LinkLifetime.ALWAYS and not forever_confirmed:
        raise Refused("A link for ever can never be taken back, not even by the pool. Confirm that this is meant.")
    if renews and lifetime != LinkLifetime.WEEK:
        raise Refused("Only links of 7 days renew themselves.")


def _held(access: Access, account: MiningAccount) -> MiningAccount:
    """So that two clicks issue one link, and nobody renews what somebody else is just stopping."""
    return MiningAccount.objects.visible_to(access).select_for_update(no_key=True).get(pk=account.pk)


def _locked(access: Access, account: MiningAccount) -> MiningAccount:
    """The account's row, held. Raises Refused when it can have no link."""
    mine = _held(access, account)
    if mine.state == MiningAccount.State.CREATING:
        raise Refused(f"The account {mine.name!r} is still being created. Try again in a minute.")
    if mine.unlisted_since is not None:
        raise Refused(f"The pool does not list the account {mine.name!r} now, so it makes no links for it.")
    if (why := logins.why_unread(access, mine.label)) is not None:
        raise Refused(why)
    return mine


def _alike(
    access: Access, account: MiningAccount, permissions: list[str], lifetime: str, *, now: datetime
) -> WatcherLink | None:
    """One of ours to hand out again: half of its life is left, and it does not live longer than was asked for."""
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
    if account.customer_id is None:
        raise Refused(f"The account {account.name!r} belongs to no customer yet.")
    taken = room(access, account, now=now)
    if taken.is_full:
        raise Refused(_full(account, taken))
    code = new_code("int")
    link = WatcherLink.objects.create(
        provider=access.provider,
        mining_account=account,
        customer_id=account.customer_id,
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
        customer_id=account.customer_id,
        label=account.label,
        account_name=account.name,
        mining_account=account,
        watcher_link=link,
        asked_by=access.actor,
        created_at=now,
    )
    shows = ", ".join(permissions)
    audit.record(access, "link.issued", link.code, now=now, account=account.code, shows=shows, lifetime=lifetime)
    hints.after_commit("settle_intent", access.provider.pk, intent.pk)
    return link


def _full(account: MiningAccount, taken: Room) -> str:
    sentence = f"The account {account.name!r} has {taken.used} active watcher links, and the pool allows {taken.most}."
    if taken.next_end_at is None:
        sentence += " None of them is known to end."
    else:
        sentence += f" The next one ends on {taken.next_end_at:%Y-%m-%d at %H:%M} UTC."
    if taken.unseen and taken.counted_at is not None:
        sentence += f" The pool alone knows {taken.unseen} of them, as of {taken.counted_at:%Y-%m-%d at %H:%M} UTC."
    return sentence


# --- Renewing by itself


def renew_due(provider_id: int, *, now: datetime) -> int:
    """Each minute: renew what ends within a day; how many were. Opens its own contexts: one for each link, because
    whoever holds several accounts, or an account and then an act of it, may stop others who come the other way."""
    with tenancy.provider_context(provider_id):
        near = WatcherLink.objects.filter(_to_renew(now), provider=provider_id, live_until__lte=now + RENEW_BEFORE)
        without = near.filter(Q(successor=None) | Q(successor__state=State.FAILED)).order_by("live_until", "pk")
        due = [link for link in without.select_related("mining_account", "successor") if _may_try(link, now=now)]
    return sum(_renewed(link, now=now) for link in due)


def _to_renew(now: datetime) -> Q:
    """Renews itself, and is there or ended lately and in time."""
    in_time = Q(state=State.ACTIVE) | Q(state=State.GONE, ended_at=F("live_until"))
    return Q(in_time, renews=True, live_until__gt=now - RENEW_LATE)


def _may_try(link: WatcherLink, *, now: datetime) -> bool:
    # Right after its end the pool may count it still, and what the pool refuses is tried again an hour later.
    freed_at = LATEST if link.live_until is None else link.live_until + LIST_LAGS
    if freed_at - LIST_LAGS <= now < freed_at:
        return False
    if link.successor is None:
        return True
    tried_at = link.successor.created_at
    pause = RENEW_AGAIN_AFTER * 2 ** max(link.renewals_failed - 1, 0)
    return link.renewals_failed < MOST_RENEWALS and (tried_at < freed_at <= now or now - tried_at >= pause)


def _renewed(link: WatcherLink, *, now: datetime) -> bool:
    with tenancy.provider_context(link.provider_id):
        access = Access(Kind.SYSTEM, Provider.objects.get(pk=link.provider_id), label="renewal")
        try:
            renew_link(access, link, now=now)
        except Refused as refusal:
            why = f"{NOT_RENEWED}{refusal}"[:500]
            WatcherLink.objects.filter(provider=link.provider_id, pk=link.pk).exclude(problem=why).update(problem=why)
            return False
    return True


# --- Reading the pool's list


def sync(reading: Reading) -> Outcome:
    """One call for each account. Links that were made outside the portal appear, and what is gone is marked."""

    def ask(pool: PoolClient, account: MiningAccount) -> tuple[WatcherLinks, datetime]:
        asked_at = reading.now()
        return pool.watcher_links(account.name), asked_at

    return for_each_account(reading, ask, _store)


def _store(
    reading: Reading,
    accounts: list[MiningAccount],
    answers: Answers[tuple[WatcherLinks, datetime]],
    now: datetime,
) -> Outcome:
    if not accounts:
        return Outcome()
    lists = {account: answers.by_account[account.pk][0] for account in accounts}
    asked_at = min(answers.by_account[account.pk][1] for account in accounts)
    outcome = link_list.reconcile(lists, asked_at=asked_at, now=now)
    unread = [Aside.unreadable(link, account.name) for account in lists for link in lists[account].rejected]
    # Told once: what somebody made outside stays as it is, and no reading after this one is the worse for it.
    for one in put_aside(reading, outcome, unread):
        outcome.problems.append(f"A watcher link of {one.account_name} could not be read.")
    return outcome
