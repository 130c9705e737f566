"""Acts at the pool that must not happen twice: creating an account or a watcher link, editing a payout destination.

One mechanism for all (settling.py): the intent's row is committed first, the pool is looked at, then ONE call goes
out; on any doubt we read back and settle. A call whose outcome is in doubt is never made again. When it is certain
that nothing happened the intent fails and says so, and a person may simply ask again.

What "certain" means. A look that finds the act's effect settles it at once, whenever it is made. A look that finds
nothing proves something only when it *begins* CERTAIN_AFTER (55 s) after the call was claimed: the call waits at most
5 s, lives at most 15 s on the wire, the pool's lists may lag by 30 s, and 5 s are for clocks that differ. Before that
it is "not yet"; and a second look, 3 s or more after the first such one, has to say the same.

What is found proves, by kind:
  account   it is there now and was not right before the call, and the pool made it within the 25 s in which a call
            acts: ours. Made before our call by the pool's clock it is somebody else's that the list had not shown
            yet, and made later somebody else's who took the name since: a person decides.
  link      its name at the pool holds the intent's mark, which nobody else knows: ours, whenever it is found.
  payout    what stands is what was wanted: done. What stood right before the call: nothing happened. Anything else:
            somebody changed it meanwhile, and whether our edit came before that nobody can tell: a person decides.

What is not settled UNKNOWN_AFTER (60 s) is "unknown, needs a person"; it is looked at again all the same, at growing
distance, until a look settles it or a person decides. What has not gone out within its kind's `goes_out_within` fails
without a call, and a person can give it up before: what was meant an hour ago may not be meant now.

All that a kind says of itself is one class (base.Act), and its line in kinds.py.
"""

from mining.intents.decisions import decide_intent, waits
from mining.intents.kinds import ACTS, act_of
from mining.intents.lifecycle import due_for_a_look
from mining.intents.payout import plan_edit
from mining.intents.settling import fail, give_up_waiting, settle_intent
from mining.intents.timing import CERTAIN_AFTER, UNKNOWN_AFTER

__all__ = [
    "ACTS",
    "CERTAIN_AFTER",
    "UNKNOWN_AFTER",
    "act_of",
    "decide_intent",
    "due_for_a_look",
    "fail",
    "give_up_waiting",
    "plan_edit",
    "settle_intent",
    "waits",
]
