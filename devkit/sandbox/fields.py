"""Reading what came in through the control API or a state file: every mistake is one clear sentence."""

from datetime import UTC, datetime
from typing import Any

from .accounts import Account, Key, User
from .world import World

_MISSING: Any = object()

EARLIEST, LATEST = datetime(2010, 1, 1, tzinfo=UTC), datetime(2060, 1, 1, tzinfo=UTC)


class BadInput(Exception):
    """The sentence says what is wrong and, where it can, what would be right."""


class Fields:
    """A dictionary that is read field by field; what was not read is refused at the end, so that no typo passes."""

    def __init__(self, values: Any) -> None:
        if not isinstance(values, dict):
            raise BadInput("the body must be a JSON object")
        self.values: dict[str, Any] = values
        self._read: set[str] = set()

    def __contains__(self, name: str) -> bool:
        self._read.add(name)  # whoever asks for it knows it
        return name in self.values

    def take(self, name: str, default: Any = _MISSING) -> Any:
        self._read.add(name)
        value = self.values.get(name, default)
        if value is _MISSING:
            raise BadInput(f"{name} is missing")
        return value

    def text(self, name: str, default: Any = _MISSING) -> str:
        value = self.take(name, default)
        if not isinstance(value, str):
            raise BadInput(f"{name} must be a string")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.take(name, default)
        if not isinstance(value, bool):
            raise BadInput(f"{name} must be true or false")
        return value

    def number(self, name: str, default: Any = _MISSING, *, lowest: float, highest: float) -> float:
        value = self.take(name, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not lowest <= value <= highest:
            raise BadInput(f"{name} must be a number from {lowest:g} to {highest:g}")
        return value

    def whole_number(self, name: str, default: Any = _MISSING, *, lowest: int = 0, highest: int = 10**12) -> int:
        value = self.take(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            raise BadInput(f"{name} must be a whole number from {lowest} to {highest}")
        return value

    def moment(self, name: str) -> datetime:
        return parse_moment(self.text(name), name)

    def date(self, name: str = "date") -> int:
        """A reward's date: Unix seconds, or a day like 2026-10-15 (its 00:00 UTC)."""
        value = self.take(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**11:
            return value
        if not isinstance(value, str):
            raise BadInput(f"{name} must be Unix seconds or a day like 2026-10-15")
        return int(parse_moment(value, name).timestamp())

    def texts(self, name: str, default: Any = _MISSING) -> list[str]:
        value = self.take(name, default)
        if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
            raise BadInput(f"{name} must be a list of at least one string")
        return value

    def names(self, name: str) -> set[str] | None:
        value = self.take(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise BadInput(f"{name} must be a list of strings, or null")
        return set(value)

    def user(self, world: World) -> User:
        login = self.text("login")
        if login not in world.users:
            raise BadInput(f"there is no user {login!r}; this world has {', '.join(world.users)}")
        return world.users[login]

    def account(self, user: User) -> Account:
        name = self.text("account")
        if name not in user.accounts:
            raise BadInput(f"{user.login} has no account {name!r}")
        return user.accounts[name]

    def key(self, world: World) -> Key:
        api_key = self.text("api_key")
        if api_key not in world.keys:
            raise BadInput("there is no such api_key in this world (GET /sandbox/truth lists them)")
        return world.keys[api_key]

    def refuse_leftovers(self) -> None:
        unknown = sorted(set(self.values) - self._read)
        if unknown:
            raise BadInput(f"unknown field {unknown[0]!r}; known here: {', '.join(sorted(self._read))}")


def earliest_to_latest(moment: datetime) -> datetime:
    """A data clock far off would have the sandbox mine for centuries."""
    if not EARLIEST <= moment <= LATEST:
        raise BadInput(f"the data clock runs from {EARLIEST:%Y-%m-%d} to {LATEST:%Y-%m-%d}")
    return moment


def parse_moment(text: str, name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{name} must be an ISO date or time, like 2026-11-01T08:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
