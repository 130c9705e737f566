"""The kinds of intent: a new one is a class (base.Act) and its line here."""

from __future__ import annotations

from typing import Any

from mining.intents.account import AccountAdoption, AccountCreation
from mining.intents.base import Act
from mining.intents.link import LinkCreation
from mining.intents.payout import PayoutEdit
from mining.models import PoolIntent

ACTS: dict[str, type[Act[Any, Any]]] = {
    act.kind: act
    for act in (
        AccountCreation,
        AccountAdoption,
        LinkCreation,
        PayoutEdit,
    )
}


def act_of(intent: PoolIntent) -> Act[Any, Any]:
    return ACTS[intent.kind](intent)
