"""Refusals that a caller must tell apart, and how a run ends early."""

from customers.errors import Refused


class NoKey(Refused):
    """There is no active key for this login, or it cannot be opened."""


class NotOpened(NoKey):
    """This worker has no private key that opens it: another one may have."""


class Unfit(NoKey):
    """It is the key that will not do: its row says so, and it is not used."""


class RunLost(Exception):
    """The run is no longer ours: its lease ran out and it was given up. Nothing more may be written for it."""


def name_taken(name: str, login_name: str) -> Refused:
    return Refused(
        "There is an account %(account)r at %(login)r already: take over that one, or choose another name.",
        code="account.name_taken",
        params={"account": name, "login": login_name},
    )
