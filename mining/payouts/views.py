"""Payout destinations as pages and the API show them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from customers.errors import Refused
from customers.tenancy import Access
from mining.models import MiningAccount, PayoutAgreement
from mining.payouts.agreements import is_lost, why_not_acceptable

DRIFTS = Q(payout_drift_since__isnull=False)


@dataclass(frozen=True, slots=True)
class PayoutView:
    """What was agreed beside what the pool said at `read_at` (all None: never read, which is not a drift).

    `drift_since`: not as agreed since then. `first_seen_at`: the pool pays where it does now since then, as far as we
    saw; later than the drift when that went on to another place.
    """

    agreed: PayoutAgreement | None
    destination: str | None
    address: str | None
    first_seen_at: datetime | None
    read_at: datetime | None
    drift_since: datetime | None
    not_acceptable: Refused | None  # why nobody can agree to what the pool says now
    is_lost: bool  # the pool does not answer for the account: no reading ends a drift


def payout_views(access: Access, accounts: Iterable[MiningAccount]) -> dict[int, PayoutView]:
    """By account's primary key. One query, however many accounts."""
    shown = list(accounts)
    agreements = PayoutAgreement.objects.visible_to(access).filter(mining_account__in=shown)
    newest = agreements.order_by("mining_account", "-pk").distinct("mining_account")
    agreed = {agreement.mining_account_id: agreement for agreement in newest}
    return {
        account.pk: PayoutView(
            agreed.get(account.pk),
            account.payout_destination,
            account.payout_address,
            account.payout_first_seen_at,
            account.payout_read_at,
            account.payout_drift_since,
            why_not_acceptable(account),
            is_lost(account),
        )
        for account in shown
    }


def payout_view(access: Access, account: MiningAccount) -> PayoutView:
    return payout_views(access, [account])[account.pk]


def drifting(access: Access) -> list[MiningAccount]:
    """Accounts whose rewards go elsewhere than was agreed, the longest first, with their customers."""
    rows = MiningAccount.objects.visible_to(access).filter(DRIFTS)
    return list(rows.select_related("customer").order_by("payout_drift_since", "pk"))
