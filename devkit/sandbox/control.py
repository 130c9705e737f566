"""The control API under /sandbox/: worlds, clock, truth, faults, edits, log. JSON, and only from this machine.

A browser on this machine is here too, and whatever page is open in it may send requests. Such a page gives itself away:
by an Origin, or, when its own name was made to lead here (DNS rebinding), by that name in Host.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address, ip_address
from typing import Any
from urllib.parse import parse_qsl

from .answers import Answer, encode, ok
from .clock import iso
from .faults import FAULTS
from .fields import BadInput, Fields, earliest_to_latest
from .rules import Ban, RateLimit
from .sandbox import ENDPOINT_OF_PATH, Opening, Request, Sandbox
from .truth import true_rewards, true_workers, truth
from .worlds import WORLDS

PREFIX = "/sandbox/"
MAX_ADVANCE_S = 20 * 366 * 86_400


def control(sandbox: Sandbox, request: Request) -> Answer:
    refusal = why_refused(request)
    if refusal is not None:
        return _error(403, refusal)
    doors = DOORS.get(request.path.removeprefix(PREFIX))
    if doors is None:
        return _error(404, f"there is no {request.path}; there are {', '.join(PREFIX + name for name in DOORS)}")
    door = doors.get(request.method)
    if door is None:
        return _error(405, f"{request.path} takes {' or '.join(doors)}")
    try:
        return ok(door(sandbox, Fields(_read(request))))
    except BadInput as wrong:
        return _error(400, str(wrong))


def why_refused(request: Request) -> str | None:
    if not is_loopback(request.address):
        return "the control API answers only to this machine"
    if b"origin" in request.headers:
        return "the control API answers to no web page: leave the header Origin out"
    host = request.headers.get(b"host", b"").decode("latin-1")
    if not names_this_machine(host):
        return f"the control API is at localhost, 127.0.0.1 or [::1], and not at {host!r}"
    return None


def names_this_machine(host: str) -> bool:
    """Whether a Host header names the loopback; with any port, since a tunnel may lead here from another one."""
    name = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
    return name.lower() == "localhost" or is_loopback(name.removeprefix("[").removesuffix("]"))


def is_loopback(address: str) -> bool:
    try:
        at = ip_address(address)
    except ValueError:
        return False
    if isinstance(at, IPv6Address) and at.ipv4_mapped is not None:
        at = at.ipv4_mapped
    return at.is_loopback


def _error(status: int, sentence: str) -> Answer:
    return Answer(status, encode({"error": sentence}))


def _read(request: Request) -> Any:
    if request.method in ("GET", "DELETE"):
        return dict(parse_qsl(request.query.decode("latin-1"), keep_blank_values=True))
    try:
        return json.loads(request.body or b"{}")
    except (ValueError, RecursionError):
        raise BadInput("the body must be JSON") from None


def reset(sandbox: Sandbox, fields: Fields) -> dict[str, Any]:
    opening = Opening(
        world=fields.text("world", sandbox.world.name),
        seed=fields.whole_number("seed", sandbox.world.seed),
        now=earliest_to_latest(fields.moment("now")) if "now" in fields else None,
        history_days=fields.whole_number("history_days", highest=3_000) if "history_days" in fields else None,
    )
    fields.refuse_leftovers()
    if opening.world not in WORLDS:
        raise BadInput(f"there is no world {opening.world!r}; there are {', '.join(WORLDS)}")
    sandbox.reset(opening)
    return {"world": opening.world, "seed": opening.seed, "now": iso(sandbox.clock.now())}


def read_clock(sandbox: Sandbox, fields: Fields) -> dict[str, Any]:
    fields.refuse_leftovers()
    return {"now": iso(sandbox.clock.now())}


def set_clock(sandbox: Sandbox, fields: Fields) -> dict[str, Any]:
    if ("now" in fields) == ("advance_seconds" in fields):
        raise BadInput('give either {"now": ISO} or {"advance_seconds": N}')
    if "now" in fields:
        moment = fields.moment("now")
    else:
        seconds = fields.number("advance_seconds", lowest=-MAX_ADVANCE_S, highest=MAX_ADVANCE_S)
        moment = datetime.fromtimestamp(sandbox.clock.now(), UTC) + timedelta(seconds=seconds)
    keys_unused = fields.flag("keys_unused", default=False)
    fields.refuse_leftovers()
    sandbox.move_clock(earliest_to_latest(moment), keys_unused=keys_unused)
    return {"now": iso(sandbox.clock.now())}


def list_faults(sandbox: Sandbox, fields: Fields) -> dict[str, Any]:
    fields.refuse_leftovers()
    return {"active": [fault.as_dict() for fault in sandbox.faults.active], "known": known_faults()}


def known_faults() -> dict[str, dict[str, Any]]:
    return {
        name: {
            "meaning": kind.meaning,
            "stage": str(kind.stage),
            "phases": list(kind.phases),
            "endpoints": kind.endpoints,
            "when_named": kind.when_named,
            "options": {option: limits.default for option, limits in kind.options.items()},
        }
        for name, kind in FAULTS.items()
    }


def add_fault(sandbox: Sandbox, fields: Fields) -> dict[str, Any]:
    return sandbox.faults.add(fields.values, set(ENDPOINT_OF_PATH.values())).as_dict()


def clear_faults(sandbox: Sandbox, fields: Fields) -> dict[str, Any]:
    fields.refuse_leftovers()
    sandbox.faults.clear()
    return {}


def edit(sandbox: Sandbox, fields: Fields) -> dict[str, Any]:
    return sandbox.perform(fields.values)


def set_limit(sandbox: Sandbox, fields: Fields) -> dict[str, Any]:
    calls = fields.whole_number("calls", sandbox.first_limit.calls, lowest=1)
    seconds = fields.number("seconds", sandbox.first_limit.seconds, lowest=0.001, highest=3_600)
    ban_after = fields.whole_number("ban_after", 0)
    ban_seconds = fields.number("ban_seconds", 60, lowest=0, highest=86_400)
    fields.refuse_leftovers()
    sandbox.limit = RateLimit(calls, seconds, Ban(ban_after, ban_seconds) if ban_after else None)
    return {"calls": calls, "seconds": seconds, "ban_after": ban_after, "ban_seconds": ban_seconds}


def read_log(sandbox: Sandbox, fields: Fields) -> dict[str, Any]:
    fields.refuse_leftovers()
    return sandbox.log.as_dict()


def clear_log(sandbox: Sandbox, fields: Fields) -> dict[str, Any]:
    fields.refuse_leftovers()
    sandbox.log.clear()
    return {}


Door = Callable[[Sandbox, Fields], dict[str, Any]]

DOORS: dict[str, dict[str, Door]] = {
    "reset": {"POST": reset},
    "clock": {"GET": read_clock, "POST": set_clock},
    "truth": {"GET": truth},
    "truth/rewards": {"GET": true_rewards},
    "truth/workers": {"GET": true_workers},
    "faults": {"GET": list_faults, "POST": add_fault, "DELETE": clear_faults},
    "edit": {"POST": edit},
    "limit": {"POST": set_limit},
    "log": {"GET": read_log, "DELETE": clear_log},
}
