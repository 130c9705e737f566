"""A watcher link: made once, and found again by the mark in its name."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import cast

from django.db.models import F

from customers.tenancy import TenantQuerySet
from mining.intents.base import Act, Done, Impossible, Nothing, Unclear
from mining.intents.timing import CLOCKS_DIFFER
from mining.links import reconcile as link_reconcile
from mining.links.reconcile import MOST_ACTIVE, NOT_RENEWED
from mining.models import LinkLifetime, PoolIntent, WatcherLink
from mining.pool.answers.types import CreatedLink, ListedLink, WatcherLinks
from mining.pool.client import Lifetime, PoolClient
from mining.pool.errors import RequestRefused

State = WatcherLink.State
LinkMade = CreatedLink | ListedLink


class LinkCreation(Act[WatcherLinks, LinkMade]):
    kind = PoolIntent.Kind.CREATE_LINK
    endpoint = "watcher-links/create"
    goes_out_within = timedelta(minutes=15)
    decided_by = "links"
    question = "the link was made"
    stuck = "a watcher link is not made yet"
    in_doubt = "was the watcher link made?"
    not_there = "A person found that the pool had not made the link."
    answer_if_ours = "It is looked up at the pool."
    answer_if_not = "It is settled: the link was not made."

    def __init__(self, intent: PoolIntent) -> None:
        super().__init__(intent)
        if intent.watcher_link is None or intent.watcher_link.lifetime is None:
            raise ValueError(f"intent {intent.code} has no link that was asked for")
        self.link, self.lifetime = intent.watcher_link, intent.watcher_link.lifetime

    def look(self, pool: PoolClient) -> WatcherLinks:
        return pool.watcher_links(self.intent.account_name)

    def before(self, seen: WatcherLinks) -> Done[LinkMade] | Impossible | None:
        if (ours := self._ours(seen)) is not None:
            return Done(ours)
        if len(seen.links) + len(seen.rejected) >= MOST_ACTIVE:
            return Impossible(self._full())
        return None

    def call(self, pool: PoolClient) -> LinkMade:
        return pool.create_watcher_link(
            [self.intent.account_name],
            name=self.link.name,
            permissions=self.link.permissions,
            lifetime=cast("Lifetime", self.lifetime),
        )

    def after(self, seen: WatcherLinks, *, looked_at: datetime) -> Done[LinkMade] | Nothing | Unclear:
        if (ours := self._ours(seen)) is not None:
            return Done(ours)
        if seen.rejected:
            return Unclear("The pool lists a watcher link that cannot be read: it may be this one. Look at the pool.")
        if self._would_be_over(looked_at):
            return Nothing("and a link that it may have made has ended by now. Ask for another one.")
        return Nothing("but it has made no link. Nothing was done: ask for it again.")

    def refused(self, refusal: RequestRefused) -> str:
        return self._full() if self.outdates(refusal) else refusal.sentence

    def outdates(self, refusal: RequestRefused) -> bool:
        """It is full. The pool had just listed the account's links, so that it knows no such account is not meant."""
        return "user" in refusal.fields

    def tell_waiting(self, problem: str) -> None:
        self._tell(State.CREATING, problem)

    def tell_doubt(self, problem: str) -> None:
        self._tell(State.UNKNOWN, problem)

    def tell_not_called(self) -> None:
        self._row().filter(state=State.UNKNOWN).update(state=State.CREATING, problem="")

    def _tell(self, state: WatcherLink.State, problem: str) -> None:
        """Pages and the API show the link, not the intent that is to make it."""
        making = self._row().filter(state=State.CREATING)
        making.exclude(state=state, problem=problem[:500]).update(state=state, problem=problem[:500])

    def keep(self, thing: LinkMade, *, now: datetime) -> None:
        self._row().update(
            state=State.ACTIVE,
            pool_id=thing.id,
            url=thing.url,
            live_until=self._end_of(thing),
            seen_at=now,
            problem="",
        )

    def drop(self, problem: str, *, now: datetime) -> None:
        self._row().update(state=State.FAILED, ended_at=now, problem=problem[:500])
        renewed = WatcherLink.objects.filter(provider=self.intent.provider_id, successor=self.link)
        why = f"{NOT_RENEWED}{problem}"[:500]
        renewed.update(renewals_failed=F("renewals_failed") + 1, problem=why)

    def _end_of(self, made: LinkMade) -> datetime | None:
        """Nothing said of its end: only one that was asked for for ever is for ever. The next list tells better."""
        lives = LinkLifetime(self.lifetime).duration
        if made.live_until is not None or lives is None:
            return made.live_until
        return (made.created_at or self.intent.called_at or self.intent.created_at) + lives

    def learn(self, seen: WatcherLinks, *, refused: bool = False, looked_at: datetime, now: datetime) -> None:
        account = self.intent.mining_account
        if account is not None:
            link_reconcile.reconcile(
                {account: seen}, refused=self.link if refused else None, asked_at=looked_at, now=now
            )

    def _ours(self, seen: WatcherLinks) -> ListedLink | None:
        return next((link for link in link_reconcile.oldest_first(seen) if link.name == self.link.name), None)

    def _would_be_over(self, at: datetime) -> bool:
        lives = LinkLifetime(self.lifetime).duration
        called_at = self.intent.called_at
        return lives is not None and called_at is not None and at >= called_at + lives - CLOCKS_DIFFER

    def _full(self) -> str:
        return (
            f"The account {self.intent.account_name!r} has {MOST_ACTIVE} active watcher links at the pool, which is "
            "all that it allows. Wait until one ends."
        )

    def _row(self) -> TenantQuerySet[WatcherLink]:
        return WatcherLink.objects.filter(
            provider=self.intent.provider_id, pk=self.link.pk, state__in=[State.CREATING, State.UNKNOWN]
        )
