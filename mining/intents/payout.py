"""Where an account's rewards are paid to: changed at the pool once, and agreed once it is so."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal, cast

from django.db import transaction

from customers import audit, tenancy
from customers.errors import Refused
from customers.tenancy import Access
from mining import dispatch
from mining.intents.base import Act, Done, Impossible, Nothing, Unclear
from mining.models import MiningAccount, PayoutAgreement, PoolIntent
from mining.models.rewards import Destination
from mining.payouts.agreements import newest_agreements, record_agreement, why_not_payable
from mining.payouts.words import in_words
from mining.pool.addresses import is_same
from mining.pool.answers.types import PayoutDestination
from mining.pool.client import PoolClient
from mining.pool.errors import AmbiguousOutcome, RequestRefused

Word = Literal["main_balance", "external_address"]


def plan_edit(
    access: Access, account: MiningAccount, *, destination: str, address: str | None, approved_by: str, now: datetime
) -> PoolIntent:
    """An approved change: a worker makes it at the pool, and it is agreed from the moment when the pool says so.

    Inside the provider's context. Raises Refused; nothing about the approval itself is asked here.
    """
    _check(destination, address)
    if not approved_by:
        raise Refused(
            "A payout destination is changed only with the name of the person who approved it.",
            code="payout.approver_missing",
        )
    with transaction.atomic():
        locked = MiningAccount.objects.visible_to(access).select_for_update(no_key=True).get(pk=account.pk)
        intent = _planned(access, locked, destination, address, approved_by, now=now)
    words = {
        "before": in_words(locked.payout_destination, locked.payout_address),
        "wanted": in_words(destination, address),
    }
    audit.record(
        access, "payout.edit_planned", intent.code, now=now, account=locked.code, approved_by=approved_by, **words
    )
    dispatch.after_commit("mining.tasks.settle_intent", access.provider.pk, intent.pk)
    return intent


def _check(destination: str, address: str | None) -> None:
    if destination not in (Destination.MAIN_BALANCE, Destination.EXTERNAL_ADDRESS):
        raise Refused("A payout goes to the main balance or to an address.", code="payout.destination_invalid")
    if destination == Destination.MAIN_BALANCE and address is not None:
        raise Refused("The main balance has no address: leave it out.", code="payout.address_superfluous")
    if destination == Destination.EXTERNAL_ADDRESS and (why := why_not_payable(address or "")) is not None:
        raise why


def _planned(
    access: Access, account: MiningAccount, destination: str, address: str | None, approved_by: str, *, now: datetime
) -> PoolIntent:
    """Inside the transaction that holds the account's row."""
    if account.customer_id is None or account.state == MiningAccount.State.CREATING:
        raise Refused(
            "The account %(account)r is not a customer's yet.",
            code="account.no_customer",
            params={"account": account.name},
        )
    # Agreed first by a change of ours, all that was paid before would be held as a stranger's (billing_misdirected).
    if account.payout_drift_since is None and not newest_agreements(account.provider_id, [account.pk]):
        raise Refused(
            "Where %(account)r is paid to has not been read for its customer yet. Read it first, then ask again.",
            code="payout.not_read",
            params={"account": account.name},
        )
    earlier = PoolIntent.objects.visible_to(access).filter(mining_account=account, state__in=PoolIntent.UNSETTLED)
    if earlier.filter(kind=PoolIntent.Kind.EDIT_PAYOUT).exists():
        raise Refused(
            "Another change for %(account)r is not settled yet: wait for it, or decide what became of it.",
            code="payout.change_unsettled",
            params={"account": account.name},
        )
    return PoolIntent.objects.create(
        provider=access.provider,
        kind=PoolIntent.Kind.EDIT_PAYOUT,
        customer_id=account.customer_id,
        login_id=account.login_id,
        account_name=account.name,
        mining_account=account,
        payout_destination=destination,
        payout_address=address,
        asked_by=approved_by,
        created_at=now,
    )


class PayoutEdit(Act[PayoutDestination, PayoutDestination]):
    kind = PoolIntent.Kind.EDIT_PAYOUT
    endpoint = "payout-destination/edit"
    goes_out_within = timedelta(minutes=15)
    decided_by = "payouts"
    question = "the payout destination was changed"
    stuck = "the payout destination is not changed yet"
    in_doubt = "was the payout destination changed?"
    not_there = "A person found that the pool had not changed the payout destination."
    answer_if_ours = "It is looked up at the pool."
    answer_if_not = "It is settled: nothing was changed."

    def look(self, pool: PoolClient) -> PayoutDestination:
        return pool.payout_destination(self.intent.account_name)

    def before(self, seen: PayoutDestination) -> Done[PayoutDestination] | Impossible | None:
        """A payout destination that stands already needs no call."""
        if self._agreed_since(self.intent.created_at):
            return Impossible("Another destination was agreed to after this change was approved. Nothing was changed.")
        return Done(seen) if self._is_wanted(seen) else None

    def remembered(self, seen: PayoutDestination) -> dict[str, Any]:
        return {"payout_destination_before": seen.destination, "payout_address_before": seen.address}

    def audit_details(self) -> dict[str, str]:
        """The payout destinations before and after."""
        intent = self.intent
        before = in_words(intent.payout_destination_before, intent.payout_address_before)
        return {"before": before, "wanted": in_words(intent.payout_destination, intent.payout_address)}

    def call(self, pool: PoolClient) -> PayoutDestination:
        edited = pool.edit_payout_destination(
            self.intent.account_name,
            destination=cast("Word", self.intent.payout_destination),
            address=self.intent.payout_address,
        )
        if not self._is_wanted(edited):
            raise AmbiguousOutcome("The pool says that it changed the payout destination, but to something else.")
        return edited

    def after(self, seen: PayoutDestination, *, looked_at: datetime) -> Done[PayoutDestination] | Nothing | Unclear:
        intent = self.intent
        if self._is_wanted(seen):
            if self._agreed_since(intent.called_at or intent.created_at):
                return Unclear("The pool pays where it was asked to, but another destination was agreed to since.")
            return Done(seen)
        if (seen.destination, seen.address) == (intent.payout_destination_before, intent.payout_address_before):
            return Nothing("but the payout destination stands as before. Nothing was done: ask for the change again.")
        return Unclear("The pool pays neither where it did nor where it was asked to. Look at the pool.")

    def refused(self, refusal: RequestRefused) -> str:
        if "address" in refusal.fields:
            return "The pool does not accept this address. Nothing was changed."
        if "destination" in refusal.fields:
            return "The pool does not pay this account's currency to an address. Nothing was changed."
        return refusal.sentence

    def keep(self, thing: PayoutDestination, *, now: datetime) -> None:
        account = self.intent.mining_account
        if account is None or self.intent.payout_destination is None:
            raise ValueError(f"intent {self.intent.code} has no account or destination")
        record_agreement(
            account,
            destination=self.intent.payout_destination,
            address=self.intent.payout_address,
            source=PayoutAgreement.Source.CHANGED,
            by=self.intent.asked_by,
            now=now,
        )

    def drop(self, problem: str, *, now: datetime) -> None:
        """Nothing to undo: no row of ours had said that the edit was made."""

    def _agreed_since(self, moment: datetime) -> bool:
        """What is agreed to later counts: an edit that was asked for before must not undo it unseen."""
        with tenancy.provider_context(self.intent.provider_id):
            accepted = PayoutAgreement.objects.filter(
                provider=self.intent.provider_id, source=PayoutAgreement.Source.ACCEPTED, agreed_at__gt=moment
            )
            return accepted.filter(mining_account=self.intent.mining_account).exists()

    def _is_wanted(self, seen: PayoutDestination) -> bool:
        if seen.destination != self.intent.payout_destination:
            return False
        wanted = self.intent.payout_address
        # The pool may go on naming an address that it does not use.
        return wanted is None or (seen.address is not None and is_same(seen.address, wanted))
