"""Files that are made for a person on the spot."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from typing import Any

from django.http import HttpResponse


def csv_file(name: str, rows: Iterable[tuple[str, ...]]) -> HttpResponse:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerows(rows)
    return _file(name, buffer.getvalue(), "text/csv; charset=utf-8")


def json_file(name: str, told: Any) -> HttpResponse:
    return _file(name, json.dumps(told, indent=1, ensure_ascii=False), "application/json")


def _file(name: str, content: str, content_type: str) -> HttpResponse:
    response = HttpResponse(content.encode(), content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
