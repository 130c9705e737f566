"""What can go wrong, by name. `FAULTS` is the one table of names and meanings; docs/sandbox.md shows it to people.

A fault strikes a call with its probability, from its own seeded dice, after `skip` matching calls and at most `times`
times. Where it can strike on two sides of the act, `phase` tells: before = the pool did nothing, after = it acted and
only the answer suffers.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from . import answers, spoil
from .answers import HTML, Answer, Refused, gateway
from .fields import BadInput, Fields
from .rules import key_disabled, no_permission, skewed, wrong_signature

BEFORE, AFTER = "before", "after"
MEBIBYTE = 2**20


class Stage(StrEnum):
    WIRE = "wire"  # the connection or the time it takes
    ANSWER = "answer"  # another answer instead of the true one
    CONTENT = "content"  # a good answer with something wrong in it
    LISTING = "listing"  # the pool lists something else than it has
    RULE = "rule"  # signature, key, permission, nonce, the pool's clock


@dataclass(frozen=True)
class Option:
    """A number that can be given with a fault."""

    default: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class FaultKind:
    meaning: str
    stage: Stage
    phases: tuple[str, ...] = (AFTER,)  # the first is taken when none is given
    endpoints: tuple[str, ...] | None = None  # only these are struck; None: all the mining endpoints
    when_named: tuple[str, ...] = ()  # struck as well, but only when the fault is switched on for that one
    options: Mapping[str, Option] = field(default_factory=dict)
    replace: Callable[["ActiveFault"], Answer] | None = None  # ANSWER
    spoil: Callable[[Answer, random.Random], Answer] | None = None  # CONTENT
    refuse: Callable[[], Refused] | None = None  # RULE
    public: bool = False  # also strikes the public endpoints
    on_refusals: bool = False  # CONTENT: spoils refusals instead of good answers

    def spoils(self, status: int) -> bool:
        return 400 <= status < 500 if self.on_refusals else status in (200, 201)


@dataclass
class ActiveFault:
    number: int
    name: str
    kind: FaultKind
    endpoint: str | None
    probability: float
    times: int | None
    skip: int
    phase: str
    options: dict[str, float]
    seed: int
    dice: random.Random
    seen: int = 0
    struck: int = 0
    cleared: asyncio.Event = field(default_factory=asyncio.Event)  # lets go of the calls that it holds

    def strikes(self, endpoint: str) -> bool:
        if not self._matches(endpoint) or (self.times is not None and self.struck >= self.times):
            return False
        self.seen += 1
        if self.seen <= self.skip or self.dice.random() >= self.probability:
            return False
        self.struck += 1
        return True

    def _matches(self, endpoint: str) -> bool:
        if self.endpoint is not None:
            return self.endpoint == endpoint
        if self.kind.endpoints is not None:
            return endpoint in self.kind.endpoints
        return self.kind.public or not endpoint.startswith("public/")

    def as_dict(self) -> dict[str, Any]:
        return {
            "id": self.number,
            "name": self.name,
            "endpoint": self.endpoint,
            "probability": self.probability,
            "times": self.times,
            "skip": self.skip,
            "phase": self.phase,
            "seed": self.seed,
            "struck": self.struck,
        } | self.options


def _page(status: int, title: str) -> Callable[[ActiveFault], Answer]:
    return lambda fault: gateway(status, title)


def _maintenance(fault: ActiveFault) -> Answer:
    wait_s = str(int(fault.options["retry_after"])).encode()
    return gateway(503, "Service Temporarily Unavailable", headers=((b"retry-after", wait_s),))


def _captive_page(fault: ActiveFault) -> Answer:
    return Answer(200, b"<!DOCTYPE html><html><body><h1>Sign in to the hall's network</h1></body></html>", HTML)


def _empty(fault: ActiveFault) -> Answer:
    return Answer(200, b"")


def _redirect(status: int, title: str) -> Callable[[ActiveFault], Answer]:
    # The other host is the caller's own machine on a port that nobody serves: a follower is found out, nothing leaves.
    headers = ((b"location", b"http://127.0.0.1:9/stolen"),)
    return lambda fault: gateway(status, title, headers=headers)


def _oversized(fault: ActiveFault) -> Answer:
    filling = b"0" * int(fault.options["bytes"])
    return Answer(200, b'{"offset":0,"limit":30,"data":[],"filling":"' + filling + b'"}')


_BOTH = (BEFORE, AFTER)
_REWARDS = ("rewards",)
_OTHER_LISTS = ("accounts", "workers/names", "watcher-links/list")
_POINTS = ("hashrate", "workers/hashrate")
_PAYOUTS = ("rewards", "payout-destination")

FAULTS: dict[str, FaultKind] = {
    # wire
    "reset": FaultKind("the connection is reset and no answer comes", Stage.WIRE, _BOTH),
    "reset_mid_body": FaultKind("half of the body comes, then the connection is reset", Stage.WIRE),
    "delay": FaultKind(
        "a pause of `seconds`, or until the faults are cleared",
        Stage.WIRE,
        _BOTH,
        options={"seconds": Option(2, 0, 120)},
    ),
    "silence": FaultKind(
        "nothing at all for `seconds`, or until the faults are cleared; then the connection is closed",
        Stage.WIRE,
        _BOTH,
        options={"seconds": Option(60, 0, 600)},
    ),
    "slow_drip": FaultKind(
        "the body comes at `bytes_per_second`, for at most `seconds`; then the connection is closed",
        Stage.WIRE,
        options={"bytes_per_second": Option(1, 0.1, 10_000), "seconds": Option(60, 0, 600)},
    ),
    # answer
    "http_500": FaultKind("500 with the pool's JSON", Stage.ANSWER, _BOTH, replace=lambda _: answers.internal_error()),
    "http_502": FaultKind("502 with HTML", Stage.ANSWER, _BOTH, replace=_page(502, "Bad Gateway")),
    "http_503": FaultKind(
        "503 with HTML and Retry-After: `retry_after`",
        Stage.ANSWER,
        _BOTH,
        options={"retry_after": Option(30, 0, 86_400)},
        replace=_maintenance,
    ),
    "http_504": FaultKind(
        "504 with HTML; mostly the act was done", Stage.ANSWER, (AFTER, BEFORE), replace=_page(504, "Gateway Time-out")
    ),
    "rate_limited": FaultKind(
        "429 with HTML, as over the limit", Stage.ANSWER, _BOTH, replace=_page(429, "Too Many Requests")
    ),
    "nonce_refused": FaultKind(
        "429 (or another `status`) with JSON, as for a repeated nonce",
        Stage.ANSWER,
        _BOTH,
        options={"status": Option(429, 400, 429)},
        replace=lambda fault: answers.nonce_refused(int(fault.options["status"])),
    ),
    "captive_page": FaultKind("200 with somebody else's HTML", Stage.ANSWER, _BOTH, replace=_captive_page),
    "empty_body": FaultKind("200 with no body", Stage.ANSWER, (AFTER, BEFORE), replace=_empty),
    "oversized_body": FaultKind(
        "200 with valid JSON of more than `bytes`",
        Stage.ANSWER,
        (AFTER, BEFORE),
        options={"bytes": Option(3 * MEBIBYTE, 0, 64 * MEBIBYTE)},
        replace=_oversized,
    ),
    "redirect_301": FaultKind(
        "301 to another address", Stage.ANSWER, _BOTH, replace=_redirect(301, "Moved Permanently")
    ),
    "redirect_308": FaultKind(
        "308 to another address", Stage.ANSWER, _BOTH, replace=_redirect(308, "Permanent Redirect")
    ),
    # content: strikes only good answers, status 200 or 201
    "truncated_json": FaultKind("the JSON stops half-way", Stage.CONTENT, spoil=spoil.truncated),
    "not_utf8": FaultKind("a byte that is not UTF-8", Stage.CONTENT, spoil=spoil.not_utf8),
    "data_missing": FaultKind("`data` is not there", Stage.CONTENT, spoil=spoil.data_missing),
    "data_null": FaultKind("`data` is null", Stage.CONTENT, spoil=spoil.data_null),
    "data_object": FaultKind(
        "`data` is an empty object instead of a list, or an empty list instead of an object",
        Stage.CONTENT,
        spoil=spoil.data_of_wrong_type,
    ),
    "extra_fields": FaultKind("fields nobody knows, everywhere", Stage.CONTENT, spoil=spoil.extra_fields),
    "numbers_for_strings": FaultKind(
        "amounts and hashrates are JSON numbers", Stage.CONTENT, spoil=spoil.numbers_for_strings
    ),
    "strings_for_numbers": FaultKind(
        "dates and rates are JSON strings", Stage.CONTENT, spoil=spoil.strings_for_numbers
    ),
    "hostile_names": FaultKind(
        "more accounts, records, workers or links, with names that mean harm",
        Stage.CONTENT,
        endpoints=("rewards", *_OTHER_LISTS),
        spoil=spoil.hostile_names,
    ),
    "amount_nan": FaultKind('one totalReward is "NaN"', Stage.CONTENT, endpoints=_REWARDS, spoil=spoil.amount("NaN")),
    "amount_huge": FaultKind(
        'one totalReward is "1e400"', Stage.CONTENT, endpoints=_REWARDS, spoil=spoil.amount("1e400")
    ),
    "amount_negative": FaultKind(
        'one totalReward is "-0.001"', Stage.CONTENT, endpoints=_REWARDS, spoil=spoil.amount("-0.001")
    ),
    "amount_long": FaultKind(
        "one totalReward has 40 digits", Stage.CONTENT, endpoints=_REWARDS, spoil=spoil.amount("0." + "1234567890" * 4)
    ),
    "amounts_disagree": FaultKind(
        "one totalReward is not reward + fee", Stage.CONTENT, endpoints=_REWARDS, spoil=spoil.amount("0.12345678")
    ),
    "status_unknown": FaultKind(
        "one record has a status nobody knows",
        Stage.CONTENT,
        endpoints=_REWARDS,
        spoil=spoil.field("status", "on_hold"),
    ),
    "other_currency": FaultKind(
        "one record is not in BTC", Stage.CONTENT, endpoints=_REWARDS, spoil=spoil.field("rewardCurrency", "LTC")
    ),
    "status_back": FaultKind(
        "successful records are pending again, unpaid", Stage.CONTENT, endpoints=_REWARDS, spoil=spoil.status_back
    ),
    "hash_late": FaultKind(
        "successful records have no payoutTransactionHash yet",
        Stage.CONTENT,
        endpoints=_REWARDS,
        spoil=spoil.hash_late,
    ),
    "amount_changed": FaultKind(
        "one record's totalReward and reward are a satoshi more than they were",
        Stage.CONTENT,
        endpoints=_REWARDS,
        spoil=spoil.amount_changed,
    ),
    "account_unknown": FaultKind(
        "one record is of an account that no list knows",
        Stage.CONTENT,
        endpoints=_REWARDS,
        spoil=spoil.field("miningAccountName", "nobody_knows_it"),
    ),
    "destination_unknown": FaultKind(
        "one payoutDestination is a word nobody knows", Stage.CONTENT, endpoints=_PAYOUTS, spoil=spoil.destination
    ),
    "overview_as_list": FaultKind(
        "the pool's overview as a list with camelCase keys, which is documented as well",
        Stage.CONTENT,
        endpoints=("public/mining-pool",),
        spoil=spoil.overview_as_list,
    ),
    "localized_errors": FaultKind(
        "the sentences of all refusals are in another language or translation keys",
        Stage.CONTENT,
        spoil=spoil.localized,
        on_refusals=True,
    ),
    "points_scrambled": FaultKind(
        "hashrate points unordered, one doubled, one missing, one in the future",
        Stage.CONTENT,
        endpoints=_POINTS,
        spoil=spoil.points_scrambled,
    ),
    "hashrate_in_hashes": FaultKind(
        "hashrate points in H/s instead of TH/s",
        Stage.CONTENT,
        endpoints=_POINTS,
        spoil=spoil.hashrate_in_hashes,
    ),
    # listing
    "page_shift": FaultKind(
        "right after this answer one more record appears, hours before its time", Stage.LISTING, endpoints=_REWARDS
    ),
    "random_tie_order": FaultKind("records of one date in another order", Stage.LISTING, endpoints=_REWARDS),
    "short_page": FaultKind(
        "half a page though more exists", Stage.LISTING, endpoints=_REWARDS, when_named=_OTHER_LISTS
    ),
    "duplicate_record": FaultKind(
        "one record twice on the page", Stage.LISTING, endpoints=_REWARDS, when_named=_OTHER_LISTS
    ),
    "vanishing_record": FaultKind(
        "one record missing from the page", Stage.LISTING, endpoints=_REWARDS, when_named=_OTHER_LISTS
    ),
    "empty_listing": FaultKind(
        "no records though there are some", Stage.LISTING, endpoints=_REWARDS, when_named=_OTHER_LISTS
    ),
    "to_exclusive": FaultKind("`to` is read as exclusive", Stage.LISTING, endpoints=_REWARDS),
    "paging_ignored": FaultKind(
        "limit and offset are ignored: always the first 30", Stage.LISTING, endpoints=("accounts",)
    ),
    "lagging_list": FaultKind(
        "what was made less than `seconds` ago is not listed yet",
        Stage.LISTING,
        endpoints=("watcher-links/list", "accounts"),
        options={"seconds": Option(30, 0, 86_400)},
    ),
    "workers_shift": FaultKind(
        "each answer leaves out another tenth of the workers, so that pages shift",
        Stage.LISTING,
        endpoints=("workers/names",),
    ),
    "low_unlisted": FaultKind("workers that are low are not listed", Stage.LISTING, endpoints=("workers/names",)),
    "other_account": FaultKind(
        "the figures of another account of the same user",
        Stage.LISTING,
        endpoints=("rewards", "hashrate", "payout-destination", "miners/info", "workers/names", "workers/hashrate"),
    ),
    "link_made_twice": FaultKind("one call makes two links", Stage.LISTING, endpoints=("watcher-links/create",)),
    "link_expired": FaultKind(
        "the link that was made has ended already", Stage.LISTING, endpoints=("watcher-links/create",)
    ),
    # rule
    "wrong_signature": FaultKind('401 "Unauthorized request."', Stage.RULE, (BEFORE,), refuse=wrong_signature),
    "key_disabled": FaultKind("401, as for a disabled key or address", Stage.RULE, (BEFORE,), refuse=key_disabled),
    "permission_missing": FaultKind("403, no permission", Stage.RULE, (BEFORE,), refuse=no_permission),
    "nonce_skewed": FaultKind("400, nonce outside the window", Stage.RULE, (BEFORE,), refuse=skewed),
    "clock_skew": FaultKind(
        "the pool's clock is `seconds` ahead (negative: behind), for nonces and public/time",
        Stage.RULE,
        (BEFORE,),
        options={"seconds": Option(30, -86_400, 86_400)},
        public=True,
    ),
}


class Faults:
    def __init__(self) -> None:
        self.active: list[ActiveFault] = []
        self._made = 0

    def add(self, values: dict[str, Any], endpoints: set[str]) -> ActiveFault:
        fields = Fields(values)
        name = fields.text("name")
        if name not in FAULTS:
            raise BadInput(f"unknown fault {name!r}; known faults: {', '.join(FAULTS)}")
        kind = FAULTS[name]
        self._made += 1
        seed = fields.whole_number("seed", 0)
        fault = ActiveFault(
            number=self._made,
            name=name,
            kind=kind,
            endpoint=_read_endpoint(fields, name, kind, endpoints),
            probability=fields.number("probability", 1.0, lowest=0, highest=1),
            times=None if fields.take("times", None) is None else fields.whole_number("times", lowest=1),
            skip=fields.whole_number("skip", 0),
            phase=_read_phase(fields, name, kind),
            options={
                option: fields.number(option, limits.default, lowest=limits.lowest, highest=limits.highest)
                for option, limits in kind.options.items()
            },
            seed=seed,
            dice=random.Random(f"{name}/{seed}"),  # noqa: S311  reproducible on purpose
        )
        fields.refuse_leftovers()
        self.active.append(fault)
        return fault

    def clear(self) -> None:
        """Calls that are held go on."""
        for fault in self.active:
            fault.cleared.set()
        self.active.clear()

    def draw(self, endpoint: str) -> list[ActiveFault]:
        """The faults that strike this call. Every active one rolls its dice, so that one does not shift another."""
        return [fault for fault in self.active if fault.strikes(endpoint)]


def _read_endpoint(fields: Fields, name: str, kind: FaultKind, endpoints: set[str]) -> str | None:
    if fields.take("endpoint", None) is None:
        return None
    endpoint = fields.text("endpoint")
    allowed = endpoints if kind.endpoints is None else {*kind.endpoints, *kind.when_named}
    if endpoint not in allowed:
        raise BadInput(f"{name} cannot strike {endpoint!r}; it can strike {', '.join(sorted(allowed))}")
    return endpoint


def _read_phase(fields: Fields, name: str, kind: FaultKind) -> str:
    phase = kind.phases[0] if fields.take("phase", None) is None else fields.text("phase")
    if phase not in kind.phases:
        raise BadInput(f"the phase of {name} must be {' or '.join(kind.phases)}")
    return phase
