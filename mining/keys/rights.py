"""What a key may use: each endpoint is asked in a way that cannot do anything (pool/rights.py). No database here."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from mining.keys.store import NEEDED_ENDPOINTS
from mining.pool.client import PoolClient
from mining.pool.errors import AmbiguousOutcome, BadAnswer, PoolUnavailable
from mining.pool.rights import ACTING, DID_THE_IMPOSSIBLE, ENDPOINTS

log = structlog.get_logger(__name__)


def ask_rights(pool: PoolClient, account: str | None, *, alive: Callable[[], None]) -> tuple[dict[str, bool], str]:
    """The rights by endpoint, without what the pool did not tell; and what a person has to look at, if anything.

    `account`: one of the key's own, where there is one. For a key that has just read accounts and rewards.
    """
    rights: dict[str, bool | None] = dict.fromkeys(NEEDED_ENDPOINTS, True)
    trouble = ""
    for endpoint in [name for name in ENDPOINTS if name not in rights]:
        alive()
        try:
            rights[endpoint] = pool.may_use(endpoint, account=account)
        except (PoolUnavailable, AmbiguousOutcome):
            continue  # not known; the endpoint may be out of order, and the key is good without it
        except BadAnswer as bad:
            if bad.problem != DID_THE_IMPOSSIBLE:
                continue
            log.error("key.pool_did_the_impossible", endpoint=endpoint)
            rights[endpoint], trouble = True, trouble or bad.sentence
    return _without_unknown(rights), trouble


def _without_unknown(rights: dict[str, bool | None]) -> dict[str, bool]:
    # Nothing documents whether the pool looks at rights before parameters. Where it finds a right missing in a request
    # without one good parameter, it does: only then does its refusal of parameters tell that a right is there.
    rights_first = any(rights.get(endpoint) is False for endpoint in ACTING)
    return {endpoint: bool(may or may is None) for endpoint, may in rights.items() if may is not None or rights_first}
