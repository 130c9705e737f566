"""A provider's logo: whatever was sent is decoded, and only pixels are kept, as a PNG of our own making."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import transaction
from PIL import Image, ImageOps

from customers import audit
from customers.errors import Refused
from customers.models import ProviderLogo, ProviderProfile
from customers.tenancy import Access

log = structlog.get_logger(__name__)

# No SVG: it is a program for a browser, and no library that cleans it is kept well enough to be trusted with that.
FORMATS = ("PNG", "JPEG", "WEBP")
LARGEST_FILE = 512 * 1024  # bytes
LARGEST_SIDE = 2000  # pixels: asked before anything is decoded; a small file may hold a picture that fills the memory
# A JPEG may be drawn over and over, each time by 12 bytes: one of 500 KB kept its decoder at work for 12 s.
START_OF_SCAN, MOST_SCANS = b"\xff\xda", 100
KEPT_WITHIN = (480, 144)  # three times what pages show of it, for sharp screens and paper


def change_logo(access: Access, file: bytes | None, *, now: datetime) -> ProviderLogo | None:
    """Set the logo, or take it away (None). Raises Refused. Documents that are issued keep theirs: no logo that was in
    use is ever deleted."""
    made = None if file is None else clean(file)
    with transaction.atomic():
        profile = ProviderProfile.objects.visible_to(access).select_for_update().get()
        logo = None if made is None else _kept(access, made, now=now)
        if logo != profile.logo:
            profile.logo = logo
            profile.save(update_fields=["logo"])
            audit.record(
                access, "provider.logo_changed", access.provider.code, now=now, sha256=logo.sha256 if logo else None
            )
    return logo


@dataclass(frozen=True, slots=True)
class Made:
    png: bytes
    width: int
    height: int


def clean(file: bytes) -> Made:
    """The picture without its name, colours' profile, comments, further frames, and whatever hides behind its end."""
    if len(file) > LARGEST_FILE:
        raise Refused("The logo is larger than 512 KiB. Send a smaller one.", code="logo.too_large")
    pixels = _decoded(file)
    pixels.thumbnail(KEPT_WITHIN, Image.Resampling.LANCZOS)
    kept = Image.new("RGBA", pixels.size)
    kept.paste(pixels)
    png = io.BytesIO()
    kept.save(png, "PNG", optimize=True)
    return Made(png.getvalue(), *kept.size)


def _decoded(file: bytes) -> Image.Image:
    try:
        picture = Image.open(io.BytesIO(file), formats=FORMATS)
        if file.startswith(b"\xff\xd8") and file.count(START_OF_SCAN) > MOST_SCANS:
            raise ValueError("drawn over and over")
        if max(picture.size) <= LARGEST_SIDE:
            return ImageOps.exif_transpose(picture).convert("RGBA")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels() from error
    except Exception as error:  # decoders raise errors of many kinds for files that are made to break them
        log.warning("logo.not_decoded", why=type(error).__name__)
        raise Refused("This is no picture as PNG, JPEG or WebP.", code="logo.no_picture") from error
    raise _too_many_pixels()


def _too_many_pixels() -> Refused:
    return Refused("The logo has a side of more than 2,000 pixels. Send a smaller one.", code="logo.too_large")


def _kept(access: Access, made: Made, *, now: datetime) -> ProviderLogo:
    logo, _ = ProviderLogo.objects.get_or_create(
        provider=access.provider,
        sha256=hashlib.sha256(made.png).hexdigest(),
        defaults={"content": made.png, "width": made.width, "height": made.height, "created_at": now},
    )
    return logo
