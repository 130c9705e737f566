"""What each rule is called, and how it is said as a sentence: for pages and mails' settings."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from mining.models import AlertKind, AlertRule

Kind, Unit = AlertKind, AlertRule.Unit


class RuleWords(NamedTuple):
    """`begins` … the limit and its unit … for so long; `ends` … the limit at which it is over ("": at the same)."""

    name: str
    begins: str = ""
    units: dict[str, str] = {}
    ends: str = ""
    for_customers: str = ""  # its name on a customer's page


PERCENT = Unit.PERCENT.value
RULES: dict[AlertKind, RuleWords] = {
    Kind.WORKERS_OFFLINE: RuleWords(
        "Machines of a customer down",
        "When the machines of an account that are down are at least",
        {PERCENT: "% of them", Unit.COUNT.value: "machines"},
        "it ends below",
    ),
    Kind.HASHRATE_LOW: RuleWords(
        "Hashrate low",
        "When hashrate is below",
        {PERCENT: "% of its own 24 h mean", Unit.THS.value: "TH/s"},
        "it ends above",
        "Hashrate low",
    ),
    Kind.WORKER_DOWN: RuleWords(
        "One machine down",
        "When one machine is down for longer than",
        {Unit.MINUTES.value: "minutes"},
        for_customers="A machine stops",
    ),
    Kind.REJECT_RATE: RuleWords(
        "Rejected shares", "When rejected shares are at least", {PERCENT: "% of all"}, "it ends below"
    ),
    Kind.DATA_OLD: RuleWords(
        "Data old", "When an account was not read for longer than", {Unit.MINUTES.value: "minutes"}
    ),
    Kind.REWARD_MISSING: RuleWords("Reward missing", "When the reward of the day before is not there by"),
    Kind.PAYOUT_DRIFT: RuleWords("Payout elsewhere", "When the pool pays an account elsewhere than was agreed"),
    Kind.KEY_REFUSED: RuleWords("Pool key refused", "When the pool refuses a key that had worked"),
    Kind.KEY_QUIET: RuleWords("Pool key quiet", "When the pool has not answered a key for 3 days"),
    Kind.KEY_SILENT: RuleWords("Pool key silent", "When the pool has not answered a key for 7 days"),
    Kind.BILLED_IN_DOUBT: RuleWords(
        "Billed rewards in doubt", "When rewards that were billed are missing, pending again or unknown"
    ),
    Kind.ACT_IN_DOUBT: RuleWords("Act in doubt", "When nobody knows whether the pool did what it was asked for"),
}


def words_of(rule: AlertRule) -> RuleWords:
    return RULES[AlertKind(rule.kind)]


def in_words(rule: AlertRule) -> str:
    """As one sentence."""
    words = words_of(rule)
    parts = [words.begins]
    if rule.threshold is not None:
        parts.append(f"{number(rule.threshold)} {words.units[rule.unit]}")
    if rule.by_time is not None:
        parts.append(f"{rule.by_time:%H:%M} UTC")
    sentence = " ".join(parts) + (f" for {rule.grace_minutes} min" if rule.grace_minutes else "")
    if words.ends and rule.ends_at is not None:
        sentence += f"; {words.ends} {number(rule.ends_at)}" + (" %" if rule.unit == PERCENT else "")
        sentence += f" for {rule.clear_minutes} min" if rule.clear_minutes else ""
    return sentence + "."


def number(value: Decimal) -> str:
    return f"{value.normalize():f}"
