"""A request whose signature, nonce and permission are good, and how its parameters are read."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from .accounts import Account, User
from .answers import Refused, invalid
from .faults import ActiveFault
from .rewards import RewardBook
from .workers import Fleet
from .world import World

PREFIX = "/api/v4/mining/"
MAX_OFFSET, MAX_LIMIT, DEFAULT_LIMIT = 10_000, 100, 30
LONGEST_NAME = 255
LATEST_TIMESTAMP = 10**11  # what is larger was given in milliseconds
ACCOUNT_NAME = re.compile(r"[A-Za-z0-9_]{1,255}")

T = TypeVar("T")

# Applies one act to the world and keeps it for the state file (edits.py).
Perform = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(slots=True)
class Call:
    """`quirks` are the listing faults that struck it, by name."""

    world: World
    user: User
    book: RewardBook
    fields: dict[str, Any]
    now: int
    perform: Perform
    quirks: Mapping[str, ActiveFault]

    def text(self, field: str) -> str | None:
        """A filter: JSON null means no filter, while an empty string is a filter that matches nothing."""
        value = self.fields.get(field)
        if value is None or isinstance(value, str):
            return value
        raise invalid(400, field, "validation.string")

    def needed_text(self, field: str, *, longest: int = LONGEST_NAME) -> str:
        value = self.text(field)
        if not value:
            raise invalid(400, field, "validation.required")
        if len(value) > longest:
            raise invalid(400, field, "validation.max.string")
        return value

    def texts(self, field: str) -> list[str]:
        """A list of at least one text; what is given twice counts once."""
        value = self.fields.get(field)
        if not isinstance(value, list) or not value:
            raise invalid(400, field, "validation.min.array")
        if not all(isinstance(item, str) and len(item) <= LONGEST_NAME for item in value):
            raise invalid(400, field, "validation.string")
        return list(dict.fromkeys(value))

    def moment(self, field: str, *, latest: int = LATEST_TIMESTAMP - 1) -> int | None:
        value = self.fields.get(field)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= latest:
            raise invalid(422, field, "Incorrect timestamp")
        return value

    def span(self, *, latest: int = LATEST_TIMESTAMP - 1) -> tuple[int | None, int | None]:
        """`from` and `to`: neither has to be there, but none ends before it begins."""
        since, until = self.moment("from", latest=latest), self.moment("to", latest=latest)
        if since is not None and until is not None and since > until:
            raise invalid(422, "from", "Incorrect timestamp")
        return since, until

    def whole_number(self, field: str, default: int, lowest: int, highest: int) -> int:
        value = self.fields.get(field, default)
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            raise invalid(400, field, "validation.between.numeric")
        return value

    def page(self, default_limit: int = DEFAULT_LIMIT) -> tuple[int, int]:
        limit = self.whole_number("limit", default_limit, 1, MAX_LIMIT)
        return limit, self.whole_number("offset", 0, 0, MAX_OFFSET)

    def account(self, field: str, error_field: str) -> Account:
        name = self.text(field)
        if name is None:
            raise invalid(400, field, "validation.required")
        account = self.user.accounts.get(name)
        if account is None:
            raise not_found(error_field)
        if "other_account" in self.quirks:
            return self.other_account(name) or account
        return account

    def enabled_account(self, field: str) -> Account:
        # Only rewards and hashrate are documented to answer for a disabled account; elsewhere it is as if unknown.
        account = self.account(field, "user")
        if account.disabled:
            raise not_found("user")
        return account

    def other_account(self, name: str) -> Account | None:
        """Of the same user, for the fault that answers with somebody else's figures."""
        others = [account for account in self.user.accounts.values() if account.name != name and not account.disabled]
        return self.quirks["other_account"].dice.choice(others) if others else None

    def fleet(self, account: Account) -> Fleet:
        return self.world.fleet(self.user.login, account)

    def quirky_page(self, page: list[T]) -> list[T]:
        """The page as the faults that struck would have it."""
        if "short_page" in self.quirks:
            page = page[: len(page) // 2]
        if "vanishing_record" in self.quirks and page:
            gone = self.quirks["vanishing_record"].dice.randrange(len(page))
            page = page[:gone] + page[gone + 1 :]
        if "duplicate_record" in self.quirks and page:
            twin = self.quirks["duplicate_record"].dice.randrange(len(page))
            page = [*page[: twin + 1], *page[twin:]]
        return page

    def lag_s(self) -> float:
        """What was made less than so many seconds ago is not listed yet."""
        return self.quirks["lagging_list"].options["seconds"] if "lagging_list" in self.quirks else 0


def not_found(error_field: str) -> Refused:
    return Refused(400, "Account not found", {error_field: ["Account not found"]})
