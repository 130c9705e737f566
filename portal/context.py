"""What every template may ask for."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone


def portal(request: HttpRequest) -> dict[str, Any]:
    return {
        "access": getattr(request, "access", None),
        "now": timezone.now(),
        "portal_mode": settings.PORTAL_MODE,
    }
