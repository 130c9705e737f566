"""A payment request for what a customer owes: an address of the form of BIP-21, for wallets and QR codes."""

from __future__ import annotations

from urllib.parse import quote

from billing.words import btc_text


def bitcoin_request(address: str, amount_sat: int, *, label: str, message: str) -> str:
    """bitcoin:bc1…?amount=0.00123456&label=…&message=…: one amount, in BTC, without idle zeros."""
    amount = btc_text(amount_sat).rstrip("0").rstrip(".")
    return f"bitcoin:{address}?amount={amount}&label={quote(label, safe='')}&message={quote(message, safe='')}"
