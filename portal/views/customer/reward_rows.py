"""A reward as its customer reads it: on the page, in the overview and in the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from billing import shares
from billing.corrections import Correction, corrections_of
from billing.shares import RewardShare, shares_of
from customers.tenancy import Access
from mining.models import Reward
from portal.templatetags.units import UNKNOWN

NOT_APPLICABLE = "–"
# "We" is the provider. What is not here needs no word: the status or the destination says it already.
NOTES = {
    shares.NO_CONTRACT: "No terms agreed for this day",
    shares.SHARE_CAPPED: "The pool's fee is larger than your part",
    shares.UNKNOWN_CURRENCY: "Not paid in BTC",
    shares.MISSING: "No longer listed by the pool",
    shares.MISDIRECTED: "Not paid as agreed",
}
# Whose address it was, the pool does not say, and it may be nobody's that was agreed.
PAID_TO = {"main_balance": "us", "external_address": "an address"}


@dataclass(frozen=True, slots=True)
class RewardRow:
    reward: Reward
    share: RewardShare
    correction: Correction | None = None  # of what a statement said

    @property
    def in_btc(self) -> bool:
        return self.reward.currency == "BTC"

    @property
    def is_void(self) -> bool:
        return shares.CANCELED in self.share.flags

    @property
    def without_share(self) -> str:
        """What stands in place of the parts: unknown only where the pool's word for the reward is not known."""
        return UNKNOWN if shares.UNKNOWN_STATUS in self.share.flags else NOT_APPLICABLE

    @property
    def paid_to(self) -> str | None:
        return PAID_TO.get(self.reward.payout_destination)

    @property
    def notes(self) -> list[str]:
        return [NOTES[flag] for flag in self.share.flags if flag in NOTES]


def reward_rows(access: Access, rewards: Sequence[Reward]) -> list[RewardRow]:
    """With the parts of each, and what statements say otherwise. Four queries."""
    shares = shares_of(rewards)
    corrections = corrections_of(access, rewards, shares)
    return [RewardRow(reward, shares[reward.pk], corrections.get(reward.pk)) for reward in rewards]
