"""The first line of the overview: how the machines are, or what is true instead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers.words import agreeing
from mining import queries as mining
from mining.models import MiningAccount
from mining.queries import Workers
from portal.templatetags.units import moment
from portal.views.customer.frame import Freshness, freshness


@dataclass(frozen=True, slots=True)
class Answer:
    headline: str
    detail: str | SafeString = ""


def answer(account: MiningAccount | None, *, provider_name: str, now: datetime) -> Answer:
    of_account = _of_account(account, provider_name, now)
    if account is None or account.payout_drift_since is None:
        return of_account
    # Where the money goes comes first; how the machines are is the detail.
    return Answer("Your payout is not as agreed", format_html("{}. {}", of_account.headline, of_account.detail))


def _of_account(account: MiningAccount | None, provider_name: str, now: datetime) -> Answer:
    state = MiningAccount.State
    if account is None:
        return Answer("Your mining account is not there yet", f"{provider_name} is setting it up.")
    if account.state == state.CREATING:
        return Answer("Your mining account is being created", "The pool has been asked for it. It takes some minutes.")
    if account.state == state.DISABLED:
        return Answer("The pool does not answer for your account", "What is known from before stays below.")
    if account.state == state.UNKNOWN:
        return Answer("The pool does not know your account at present", "What is known from before stays below.")
    workers = mining.workers(account, now=now)
    if workers.total is None:
        return Answer("We have not read the pool yet", "The first numbers come within minutes.")
    return _of_machines(workers, workers.total, nothing_else=account.payout_drift_since is None, now=now)


def _of_machines(workers: Workers, total: int, *, nothing_else: bool, now: datetime) -> Answer:
    fresh = freshness(workers.read_at, now=now)
    if fresh is Freshness.LOST:
        return Answer(
            "We do not know how your machines are",
            format_html("Last read {}: {}.", moment(workers.read_at), _up(workers, total, present=False)),
        )
    headline = _up(workers, total, present=fresh is Freshness.FRESH)
    if fresh is Freshness.LATE:
        return Answer(headline, format_html("That was {}. We could not read the pool since.", moment(workers.read_at)))
    return Answer(headline, _exceptions(workers, total, nothing_else=nothing_else))


def _up(workers: Workers, total: int, *, present: bool) -> str:
    is_, are = ("is", "are") if present else ("was", "were")
    if not total:
        return "The pool sees no machines" if present else "The pool saw no machines"
    up = workers.online or 0
    whole = "up" if up == total else "down" if workers.offline == total else ""
    if whole:
        return f"Your machine {is_} {whole}" if total == 1 else f"All {total:,} machines {are} {whole}"
    return f"{up:,} of {total:,} machines {agreeing(up, is_, are)} up"


def _exceptions(workers: Workers, total: int, *, nothing_else: bool) -> str:
    if not total:
        return "None has connected under your account's name."
    if workers.online == total:
        return "Nothing needs you." if nothing_else else ""
    low, down = workers.low or 0, workers.offline or 0
    if down == total:
        return f"The pool gets no work from {agreeing(total, 'it', 'any of them')}."
    told = [
        f"{low:,} {agreeing(low, 'runs', 'run')} low" if low else "",
        f"{down:,} {agreeing(down, 'is', 'are')} down" if down else "",
    ]
    words = ", ".join(word for word in told if word)
    return f"{words}." if words else ""
