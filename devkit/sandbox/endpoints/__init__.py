"""The private endpoints: each takes a checked call and gives the pool's answer, oddities included."""

from collections.abc import Callable

from ..answers import Answer
from ..call import Call
from .accounts import create_account, list_accounts
from .hashrate import account_hashrate, worker_hashrate
from .links import create_link, list_links
from .payout import edit_payout_destination, payout_destination
from .rewards import list_rewards
from .workers import miners_info, worker_names

ENDPOINTS: dict[str, Callable[[Call], Answer]] = {
    "accounts/create": create_account,
    "accounts": list_accounts,
    "rewards": list_rewards,
    "hashrate": account_hashrate,
    "payout-destination": payout_destination,
    "payout-destination/edit": edit_payout_destination,
    "miners/info": miners_info,
    "workers/names": worker_names,
    "workers/hashrate": worker_hashrate,
    "watcher-links/create": create_link,
    "watcher-links/list": list_links,
}
