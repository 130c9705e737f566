"""miners/info and workers/names."""

from ..answers import Answer, ok
from ..call import MAX_LIMIT, Call


def miners_info(call: Call) -> Answer:
    online, offline, low = call.fleet(call.enabled_account("account")).counts(call.now)
    second_port = online // 4
    return ok(
        {
            "data": {
                "fee": "2.5",
                "workers": {"online": online, "offline": offline, "low": low},
                "stratum": [
                    {"url": "stratum+tcp://pool.whitebit.com:3333", "workersCount": online - second_port},
                    {"url": "stratum+tcp://pool.whitebit.com:3334", "workersCount": second_port},
                ],
            }
        }
    )


def worker_names(call: Call) -> Answer:
    """Undocumented whether low workers count as online: here they do, unless a fault asks for the other reading."""
    fleet = call.fleet(call.enabled_account("account"))
    limit, offset = call.page(MAX_LIMIT)
    listed = fleet.listed(call.now, with_low="low_unlisted" not in call.quirks)
    if "empty_listing" in call.quirks:
        listed = ()
    if "workers_shift" in call.quirks:
        dice = call.quirks["workers_shift"].dice
        listed = tuple(name for name in listed if dice.random() >= 0.1)
    page = call.quirky_page(list(listed[offset : offset + limit]))
    return ok({"data": {"workers": page, "limit": limit, "offset": offset}, "limit": limit, "offset": offset})
