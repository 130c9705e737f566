"""Terms that reached back are told to their customer: an outbox, which the front of house empties by mail."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import F, Func, QuerySet, Value

from billing.models import ContractVersion, TermsNotice
from customers import tenancy

# Between two tries: as long again as the mail has waited so far.
SHORTEST_WAIT, LONGEST_WAIT = timedelta(minutes=5), timedelta(hours=6)


def owe(
    version: ContractVersion, words_before: str, *, rewards: int, difference_sat: int, now: datetime
) -> TermsNotice:
    """In the transaction of whoever agrees."""
    return TermsNotice.objects.create(
        provider_id=version.provider_id,
        version=version,
        customer_id=version.customer_id,
        words_before=words_before,
        rewards=rewards,
        difference_sat=difference_sat,
        created_at=now,
    )


def is_any_untold(provider_id: int, *, now: datetime) -> bool:
    with tenancy.provider_context(provider_id):
        return any(_is_due(notice, now) for notice in _untold(provider_id))


def take_untold(provider_id: int, *, now: datetime) -> list[TermsNotice]:
    """What is to be told now, claimed: of two workers one gets it. Opens its own context, as all here do."""
    with tenancy.provider_context(provider_id):
        # The second worker waits here for the first one's commit, and then finds that it has been tried just now.
        untold = _untold(provider_id).order_by("pk").select_for_update(of=("self",), no_key=True)
        due = [notice.pk for notice in untold if _is_due(notice, now)]
        claimed = TermsNotice.objects.filter(provider=provider_id, pk__in=due)
        claimed.update(tried_at=now)
        return list(claimed.select_related("version", "customer").order_by("pk"))


def note_mailed(notice: TermsNotice, address: str) -> None:
    """This person has it now."""
    has_it = Func(F("mailed_to"), Value(address), function="array_append")
    _update(notice, mailed_to=has_it)


def note_told(notice: TermsNotice, *, now: datetime) -> None:
    """Everybody has it."""
    _update(notice, told_at=now, problem="")


def note_not_told(notice: TermsNotice, problem: str) -> None:
    _update(notice, problem=problem[:500])


def _update(notice: TermsNotice, **values: object) -> None:
    with tenancy.provider_context(notice.provider_id):
        TermsNotice.objects.filter(provider=notice.provider_id, pk=notice.pk, told_at=None).update(**values)


def _untold(provider_id: int) -> QuerySet[TermsNotice]:
    return TermsNotice.objects.filter(provider=provider_id, told_at=None)


def _is_due(notice: TermsNotice, now: datetime) -> bool:
    if notice.tried_at is None:
        return True
    waited = notice.tried_at - notice.created_at
    return now >= notice.tried_at + min(max(waited, SHORTEST_WAIT), LONGEST_WAIT)
