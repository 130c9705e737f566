"""Files from outside are hostile: decoded in bounds, and only their pixels are kept."""

from __future__ import annotations

import io
import zlib

import pytest
from PIL import Image, PngImagePlugin

from customers import tenancy
from customers.logos import LARGEST_FILE, change_logo, clean
from customers.models import AuditEntry, ProviderLogo, ProviderProfile
from tests.pictures import picture
from tests.refusals import refused
from tests.world import NOW, World

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def bomb(side: int) -> bytes:
    """A small file that says it is large, and is: zeros are packed a thousandfold."""
    file = io.BytesIO()
    Image.new("1", (side, side)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_becomes_a_png_within_480_by_144(kind: str) -> None:
    made = clean(picture(960, 1200, kind=kind))

    kept = Image.open(io.BytesIO(made.png))
    assert (kept.format, kept.size) == ("PNG", (115, 144))
    assert (made.width, made.height) == kept.size


def test_a_small_picture_keeps_its_size() -> None:
    assert (clean(picture(64, 32)).width, clean(picture(64, 32)).height) == (64, 32)


def test_nothing_but_pixels_is_kept() -> None:
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", "canary <script>")
    polyglot = picture(pnginfo=notes) + b"PK\x03\x04canary"

    made = clean(polyglot)

    assert b"canary" in polyglot
    assert b"canary" not in made.png
    assert made.png == clean(picture()).png


def scans(count: int) -> bytes:
    """A small JPEG that is drawn over and over: a pass of a few bytes costs its decoder as much as a whole one."""
    file = picture(kind="JPEG", progressive=True)
    last = file[file.rindex(b"\xff\xda") : -2]
    return file[:-2] + last * count + file[-2:]


def test_a_picture_that_is_drawn_over_and_over_is_not_decoded() -> None:
    assert clean(scans(3)).png == clean(picture(kind="JPEG", progressive=True)).png
    with refused("logo.no_picture"):
        clean(scans(200))


@pytest.mark.parametrize(
    "file",
    [
        b"",
        SVG,
        b"GIF89a" + bytes(20),
        b"%PDF-1.7",
        b"\x89PNG\r\n\x1a\n",
        picture()[:60],
        picture().replace(b"IDAT", b"JUNK"),
        b"\x89PNG\r\n\x1a\n" + bytes(4) + b"IHDR" + zlib.compress(bytes(99)),
    ],
)
def test_what_is_no_picture_is_refused(file: bytes) -> None:
    with refused("logo.no_picture"):
        clean(file)


def test_other_formats_that_pillow_knows_are_not_decoded() -> None:
    for kind in ("GIF", "BMP", "TIFF", "ICO"):
        with refused("logo.no_picture"):
            clean(picture(kind=kind))


def test_a_picture_that_grows_when_it_is_decoded_is_refused_before() -> None:
    assert len(bomb(2100)) < 10_000
    for side in (2100, 10_000, 20_000):
        with refused("logo.too_large"):
            clean(bomb(side))


def test_a_large_file_is_refused_before_it_is_opened() -> None:
    with refused("logo.too_large"):
        clean(picture() + bytes(LARGEST_FILE))


@pytest.mark.django_db
def test_a_logo_is_set_kept_when_another_takes_its_place_and_taken_away(world: World) -> None:
    access = world.north.system
    with tenancy.access_context(access):
        first = change_logo(access, picture(), now=NOW)
        change_logo(access, picture(90, 30), now=NOW)
        again = change_logo(access, picture(), now=NOW)
        change_logo(access, picture(), now=NOW)

        assert first == again
        assert ProviderLogo.objects.count() == 2
        assert ProviderProfile.objects.get().logo == first
        change_logo(access, None, now=NOW)
        assert ProviderProfile.objects.get().logo is None
        assert AuditEntry.objects.filter(action="provider.logo_changed").count() == 4
