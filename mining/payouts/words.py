"""Payout destinations in words, for the audit and for people."""

from __future__ import annotations

from mining.models import PayoutAgreement
from mining.models.rewards import Destination


def in_words(destination: str | None, address: str | None) -> str:
    """For the audit and for people: what is agreed, or what the pool says."""
    if destination == Destination.MAIN_BALANCE:
        return "the main balance"
    if destination == Destination.EXTERNAL_ADDRESS:
        return address or "an address that is not named"
    return "unknown"


def agreed_words(agreement: PayoutAgreement | None) -> str:
    return "nothing" if agreement is None else in_words(agreement.destination, agreement.address)
