"""Suspend a provider, or let it go on. Work nobody asked for is done for active ones only: see Provider.Status."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from functools import wraps
from typing import Concatenate, ParamSpec

import structlog
from django.db.models import QuerySet

from customers import audit, tenancy
from customers.models import Provider
from customers.tenancy import Access

Arguments = ParamSpec("Arguments")
log = structlog.get_logger(__name__)


def set_status(operator: Access, status: Provider.Status, *, now: datetime) -> bool:
    """Suspend the operator's provider, or make it active again; False: it is so already. A task that a worker is busy
    with goes on to its end, the next one of this provider does not begin."""
    others = Provider.objects.filter(pk=operator.provider.pk).exclude(status=status)
    with tenancy.access_context(operator):
        if not others.update(status=status):
            return False
        done = "suspended" if status == Provider.Status.SUSPENDED else "resumed"
        audit.record(operator, f"provider.{done}", operator.provider.code, now=now)
    return True


def each_active(act: Callable[[int], object], *, only: Collection[int] | None = None, failed: str) -> None:
    """Call `act` with the id of every provider that is not suspended. A loop, because no context spans two.

    `only`: of these alone, because it is known that there is nothing to do for the others.

    What goes wrong for one, of whatever kind, is logged as the event `failed` and does not stop the others' turn.
    """
    active = _active() if only is None else _active().filter(pk__in=only)
    for provider_id in active.order_by("pk").values_list("pk", flat=True):
        try:
            act(provider_id)
        except Exception:
            log.exception(failed, provider_id=provider_id)


def while_active(task: Callable[Concatenate[int, Arguments], None]) -> Callable[Concatenate[int, Arguments], None]:
    """A task of one provider, whose id is its first argument: it does nothing once the provider is suspended."""

    @wraps(task)
    def door(provider_id: int, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        if _active().filter(pk=provider_id).exists():
            task(provider_id, *args, **kwargs)

    return door


def _active() -> QuerySet[Provider]:
    return Provider.objects.filter(status=Provider.Status.ACTIVE)
