"""payout-destination and payout-destination/edit. Neither has a `data` around its answer."""

from ..accounts import EXTERNAL_ADDRESS, MAIN_BALANCE, Account
from ..addresses import is_address
from ..answers import Answer, invalid, ok
from ..call import Call

LONGEST_ADDRESS = 100


def payout_destination(call: Call) -> Answer:
    return _answer(call, call.enabled_account("accountName"))


def edit_payout_destination(call: Call) -> Answer:
    account = call.enabled_account("accountName")
    destination = call.needed_text("destination")
    if destination not in (MAIN_BALANCE, EXTERNAL_ADDRESS):
        raise invalid(400, "destination", "The selected destination is invalid.")
    address = _address(call)
    act = {"act": "set_payout", "login": call.user.login, "account": account.name, "destination": destination}
    if destination == EXTERNAL_ADDRESS:
        act["address"] = _payable(account, address)
    call.perform(act)
    return _answer(call, account)


def _address(call: Call) -> str | None:
    """With main_balance it is ignored, but it must still be a text of an address's length."""
    address = call.text("address")
    if address is not None and len(address) > LONGEST_ADDRESS:
        raise invalid(400, "address", "miningPool.validation.payoutDestination.invalidBtcAddress")
    return address


def _payable(account: Account, address: str | None) -> str:
    if account.custom_currency:
        raise invalid(400, "destination", "miningPool.validation.payoutDestination.customCurrencyConflict")
    if not address:
        raise invalid(400, "address", "miningPool.validation.payoutDestination.btcAddressRequired")
    if not is_address(address):
        raise invalid(400, "address", "miningPool.validation.payoutDestination.invalidBtcAddress")
    return address


def _answer(call: Call, account: Account) -> Answer:
    payout = account.payout_at(call.now)
    return ok({"payoutDestination": payout.destination, "externalAddress": payout.address})
