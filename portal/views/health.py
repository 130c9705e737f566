"""What a balancer asks: a process that lives must be told from one that can serve."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse

from portal import health
from portal.access import health_check


@health_check
def live(_request: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": "ok"})


@health_check
def ready(_request: HttpRequest) -> HttpResponse:
    problems = health.problems()
    return JsonResponse(
        {"status": "not ready" if problems else "ok", "problems": problems}, status=503 if problems else 200
    )
