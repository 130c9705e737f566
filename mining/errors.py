"""What a person's act is refused with, and how a run ends early. Each says in one sentence what to do."""


class Refused(Exception):
    """str() is one clear sentence for the person who asked."""


class NoKey(Refused):
    """There is no active key for this login, or it cannot be opened."""


class NotOpened(NoKey):
    """This worker has no private key that opens it: another one may have."""


class RunLost(Exception):
    """The run is no longer ours: its lease ran out and it was given up. Nothing more may be written for it."""


def name_taken(name: str, login_name: str) -> str:
    return f"There is an account {name!r} at {login_name!r} already. Take it over, or choose another name."
