"""Records of the pool that were not taken in: what each may be, and the person who says what it is."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from mining.models import QuarantinedRecord, Reward
from mining.models.rewards import Settlement
from mining.rewards import settling
from portal import second_factor
from portal.access import AccessRequest, may, staff_page
from portal.forms.staff import SettleForm
from portal.views.lookup import the
from portal.views.staff.responses import accepted

# Any other reason names the field that could not be read.
WHY = {
    "twin": "A second record exactly like another one: the first counts",
    "unmatched": "A change that fits none of the records we have",
    "moved_or_new": "A record that may be another one, dated anew",
    "amount_identity": "A record whose amounts do not add up",
}
SETTLED = {
    Settlement.ANOTHER: "A reward of its own: taken in",
    Settlement.SAME: "A reward that we have",
    Settlement.DISMISSED: "No reward: dismissed for good",
    Settlement.READ_AGAIN: "Read again, by a reading that understands it",
    Settlement.TAKEN_IN: "A later reading knew where it belongs",
}
# What a person can say, by why the record is here.
SAYINGS = {
    "twin": {
        Settlement.ANOTHER: "Two rewards: this one is taken in as the next of its day",
        Settlement.SAME: "One reward, listed twice: this one is dismissed for good",
    },
    "moved_or_new": {
        Settlement.SAME: "The same reward, dated anew: what we have follows it",
        Settlement.ANOTHER: "Another reward: taken in by itself",
    },
    "unmatched": {
        Settlement.SAME: "A reward that we have, as it is now: what we have follows it",
        Settlement.ANOTHER: "Another reward: taken in by itself",
    },
}
UNREADABLE = {
    Settlement.DISMISSED: "No reward, or one that stands elsewhere: dismissed for good",
    Settlement.READ_AGAIN: "It can be read by now: the account is read once more from its beginning",
}


def why(record: QuarantinedRecord) -> str:
    return WHY.get(record.reason) or f"A record that could not be read ({record.reason.replace('_', ' ')})"


@staff_page("read")
@require_http_methods(["GET", "POST"])
def quarantined(request: AccessRequest, code: str) -> HttpResponse:
    access = request.access
    records = QuarantinedRecord.objects.visible_to(access).select_related("login", "sync_run", "reward")
    record = the(records, code)
    may_be = settling.candidates(access, [record])[record.pk]
    # A twin is one of those that are exactly like it: which of them says nothing.
    which = [] if record.reason == "twin" else may_be
    sayings = {**UNREADABLE, **SAYINGS.get(record.reason, {})}
    choices = [(choice.value, sayings[choice]) for choice in settling.choices(record)]
    form = SettleForm(request.POST or None, choices=choices, rewards=which)
    if request.method == "POST" and not may(access, "settle"):
        raise PermissionDenied
    if request.method == "POST" and second_factor.is_missing(request, now=timezone.now()):
        return second_factor.ask(request)
    if request.method == "POST" and _settled(request, record, form, may_be):
        return redirect("staff:quarantined", record.code)
    context = {
        "record": record,
        "why": why(record),
        "settled": SETTLED[Settlement(record.settled_as)] if record.settled_as else "",
        "may_be": may_be,
        "form": form,
    }
    return render(request, "staff/quarantined.html", context)


def _settled(request: AccessRequest, record: QuarantinedRecord, form: SettleForm, may_be: list[Reward]) -> bool:
    def settle() -> None:
        given = form.cleaned_data
        settling.settle(
            request.access,
            record,
            decision=Settlement(given["decision"]),
            note=given["note"],
            reward=next((reward for reward in may_be if reward.code == given.get("reward")), None),
            now=timezone.now(),
        )

    if not accepted(form, settle):
        return False
    messages.success(request, f"Settled: {form.saying}.")
    return True
