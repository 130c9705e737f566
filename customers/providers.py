"""Work that nobody asked for goes on for the providers that are not suspended: see Provider.Status."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

import structlog
from django.db.models import QuerySet

from customers.models import Provider

Arguments = ParamSpec("Arguments")
log = structlog.get_logger(__name__)


def each_active(act: Callable[[int], object], *, failed: str) -> None:
    """Call `act` with the id of every provider that is not suspended. A loop, because no context spans two.

    What goes wrong for one, of whatever kind, is logged as the event `failed` and does not stop the others' turn.
    """
    for provider_id in _active().order_by("pk").values_list("pk", flat=True):
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
