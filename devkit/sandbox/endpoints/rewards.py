"""rewards: of one account, or of all accounts of the key's user."""

import random
from bisect import bisect_left, bisect_right

from ..answers import Answer, encode
from ..call import Call
from ..rewards import Reward


def list_rewards(call: Call) -> Answer:
    name = call.text("account")
    since, until = call.span()
    limit, offset = call.page()
    if name is not None and "other_account" in call.quirks:
        other = call.other_account(name)
        name = other.name if other else name
    every = call.book.listing(call.now) if name is None else call.book.of_account(call.now, name)
    if "empty_listing" in call.quirks:
        every = []
    matching = _between(every, since, until, to_excluded="to_exclusive" in call.quirks)
    if "random_tie_order" in call.quirks:
        matching = _ties_shuffled(matching, call.quirks["random_tie_order"].dice)
    page = call.quirky_page(matching[offset : offset + limit])
    if "page_shift" in call.quirks:
        _shift_later_pages(call)
    head = encode({"offset": offset, "limit": limit, "data": []})[:-2]
    return Answer(200, head + b",".join([reward.as_bytes(call.now) for reward in page]) + b"]}")


def _between(every: list[Reward], since: int | None, until: int | None, *, to_excluded: bool) -> list[Reward]:
    """Both ends included, unless a fault asks for the other reading of `to`. The list is newest first."""

    def negated_date(reward: Reward) -> int:
        return -reward.listed_date

    first = 0
    if until is not None:
        first = (bisect_right if to_excluded else bisect_left)(every, -until, key=negated_date)
    end = len(every) if since is None else bisect_right(every, -since, key=negated_date)
    return every[first:end]


def _ties_shuffled(rewards: list[Reward], dice: random.Random) -> list[Reward]:
    shuffled = rewards.copy()
    dice.shuffle(shuffled)
    shuffled.sort(key=lambda reward: reward.listed_date, reverse=True)
    return shuffled


def _shift_later_pages(call: Call) -> None:
    waiting = call.book.next_unlisted(call.now)
    if waiting:  # from the next call on
        call.perform({"act": "show_early", "login": call.user.login, "account": waiting[0], "day": waiting[1]})
