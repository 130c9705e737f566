"""The workers of an account: who is online, and each one's part of the account's hashrate.

Like mined.py a pure function of (seed, login, account, moment), and of what was edited: counts, names and points agree
with each other, and the points of all workers add up to those of the account.
"""

from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

from . import mined
from .accounts import Account, WorkerEdit
from .mined import DAY_S, HOUR_S

ONLINE, LOW, OFFLINE, GONE = "online", "low", "offline", "gone"
STATES = (ONLINE, LOW, OFFLINE, GONE)
TERAHASH_PER_MACHINE = 200
LOW_PART = 0.4  # of what the machine makes otherwise


@dataclass(frozen=True, eq=False, slots=True)
class Fleet:
    """One account's workers. Compared by identity: an edit makes a new fleet, so that nothing cached is stale."""

    seed: int
    login: str
    account: str
    hashrate_ths: float | None
    first_day: int
    edits: tuple[WorkerEdit, ...]

    def states(self, at: int) -> dict[str, str]:
        """Every worker that is or was there at that moment, with its state, in an order nobody should rely on."""
        return _states(self, at // HOUR_S, self._edits_until(at))

    def listed(self, at: int, *, with_low: bool = True) -> tuple[str, ...]:
        """The names that `workers/names` lists."""
        return _listed(self, at // HOUR_S, self._edits_until(at), with_low)

    def counts(self, at: int) -> tuple[int, int, int]:
        """Online, offline, low."""
        states = list(self.states(at).values())
        return states.count(ONLINE), states.count(OFFLINE), states.count(LOW)

    def share(self, worker: str, at: int) -> float:
        """The worker's part of the account's hashrate at that moment, 0 when it is not running."""
        return _shares(self, at // HOUR_S, self._edits_until(at)).get(worker, 0.0)

    def points(self, worker: str, day: int, step_s: int) -> list[tuple[int, float]]:
        """Start of the interval and TH/s. Where the worker did not run, there is no point."""
        if self.hashrate_ths is None or worker not in self.states((day + 1) * DAY_S - 1):
            return []
        every = mined.day_points(
            self.seed, self.login, self.account, day, hashrate_ths=self.hashrate_ths, step_s=step_s
        )
        shared = [(point.at, point.hashrate_ths * self._share_over(worker, point.at, step_s)) for point in every]
        return [(at, hashrate_ths) for at, hashrate_ths in shared if hashrate_ths > 0]

    def _share_over(self, worker: str, start: int, step_s: int) -> float:
        if step_s <= HOUR_S:
            return self.share(worker, start)
        hours = range(start, start + step_s, HOUR_S)
        return sum(self.share(worker, hour) for hour in hours) / len(hours)

    def _edits_until(self, at: int) -> int:
        return bisect_right(self.edits, at, key=lambda edit: edit.since) if self.edits else 0


def fleet_of(seed: int, login: str, account: Account) -> Fleet:
    edits = tuple(sorted(account.worker_edits, key=lambda edit: edit.since))
    return Fleet(seed, login, account.name, account.hashrate_ths, account.first_day, edits)


def machines_of(hashrate_ths: float) -> int:
    return ceil(hashrate_ths / TERAHASH_PER_MACHINE)


def machine_name(number: int) -> str:
    return f"rig_{number:03d}"


@lru_cache(maxsize=2_048)
def _states(fleet: Fleet, hour: int, edits: int) -> dict[str, str]:
    states = _seeded_states(fleet, hour)
    for edit in fleet.edits[:edits]:
        if edit.state == GONE:
            states = {name: state for name, state in states.items() if name not in edit.names}
        else:
            states |= dict.fromkeys(edit.names, edit.state)
    return states


def _seeded_states(fleet: Fleet, hour: int) -> dict[str, str]:
    """As the day and the hour went: what broke down is off for the whole day, what limps does so for the hour."""
    day = hour * HOUR_S // DAY_S
    if fleet.hashrate_ths is None or day < fleet.first_day:
        return {}
    seed, login, account = fleet.seed, fleet.login, fleet.account
    machines = machines_of(fleet.hashrate_ths)
    down = round(machines * max(0.0, 1 - mined.day_factor(seed, login, account, day)))
    low = int(mined.seeded_fractions(seed, login, account, hour, "low")[0] * machines * 0.08)
    turn_of_day = mined.seeded_fractions(seed, login, account, day, "breakdowns", count=machines)
    broken = sorted(range(machines), key=turn_of_day.__getitem__)[:down]
    turn_of_hour = mined.seeded_fractions(seed, login, account, hour, "limping", count=machines)
    running = [machine for machine in range(machines) if machine not in broken]
    limping = sorted(running, key=turn_of_hour.__getitem__)[:low]
    state_of = dict.fromkeys(range(machines), ONLINE) | dict.fromkeys(broken, OFFLINE) | dict.fromkeys(limping, LOW)
    return {machine_name(machine + 1): state for machine, state in state_of.items()}


@lru_cache(maxsize=2_048)
def _listed(fleet: Fleet, hour: int, edits: int, with_low: bool) -> tuple[str, ...]:
    shown = (ONLINE, LOW) if with_low else (ONLINE,)
    return tuple(name for name, state in _states(fleet, hour, edits).items() if state in shown)


@lru_cache(maxsize=2_048)
def _shares(fleet: Fleet, hour: int, edits: int) -> dict[str, float]:
    part_of = {ONLINE: 1.0, LOW: LOW_PART}
    weights = {
        name: part_of[state] * _make(fleet, name)
        for name, state in _states(fleet, hour, edits).items()
        if state in part_of
    }
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


@lru_cache(maxsize=65_536)
def _make(fleet: Fleet, worker: str) -> float:
    """Machines of one hall are not all of one make."""
    return 0.85 + 0.3 * mined.seeded_fractions(fleet.seed, fleet.login, fleet.account, worker, "make", count=1)[0]
