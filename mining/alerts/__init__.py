"""What should be an open alert now, minus what is one: pulled from the rows that say how things stand.

Each cause is three-valued. What surely stands opens an alert, what is surely over ends it, and what is not known (a
key that is being checked, an account that was not read) leaves it as it is. Of the pool (causes.py) what stands is
told at once. Of the fleet (limits.py) a rule of the provider, or of a customer, says from when on and for how long
something has to stand; many that fall together are one alert (together.py). Who is told, and when, is in telling.py.
"""

from mining.alerts.causes import Subject, agree
from mining.alerts.refreshing import refresh
from mining.alerts.telling import (
    COULD_NOT_SEND,
    is_any_untold,
    note_mailed,
    note_not_told,
    note_told,
    take_untold,
    who_has,
)

__all__ = [
    "COULD_NOT_SEND",
    "Subject",
    "agree",
    "is_any_untold",
    "note_mailed",
    "note_not_told",
    "note_told",
    "refresh",
    "take_untold",
    "who_has",
]
