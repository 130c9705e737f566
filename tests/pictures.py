"""Pictures as people send them."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image


def picture(width: int = 64, height: int = 32, *, kind: str = "PNG", **details: Any) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "#0b5fae").save(file, kind, **details)
    return file.getvalue()
