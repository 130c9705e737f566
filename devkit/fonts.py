"""Makes the fonts beside Inter in billing/pdf/fonts, from Debian's packages of Noto (SIL Open Font License 1.1).

    apt-get download fonts-noto-core fonts-noto-cjk       # Debian 12: 20201225-1 and 1:20220127+repack1-1
    dpkg-deb -x … noto                                    # both into one folder
    uv run --with fonttools==4.68.0 python -m devkit.fonts noto/usr/share/fonts

Run it only to change which scripts a document can be written in: what it makes is kept in the repository, so that a
document never depends on what is installed. Left out: hinting, which paper does not need; of the 45,000 characters of
Noto Sans CJK, what is in none of the four national sets.
"""

import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

FONTS = Path(__file__).resolve().parents[1] / "billing/pdf/fonts"
SCRIPTS = (  # of the Near East, the Caucasus and Africa; of India; of the South-East
    *("Arabic", "Armenian", "Georgian", "Hebrew", "Ethiopic"),
    *("Bengali", "Devanagari", "Gujarati", "Gurmukhi", "Kannada", "Malayalam", "Oriya", "Sinhala", "Tamil", "Telugu"),
    *("Khmer", "Lao", "Myanmar", "Thai"),
)
SIMPLIFIED = 2  # of the faces in the collection
NATIONAL = ("gb2312", "big5", "shift_jis", "euc_kr")  # Chinese, simplified and traditional; Japanese; Korean
NAMES = (0, 1, 2, 3, 4, 5, 6, 13, 14)  # copyright and licence stay in the file


def make(font: TTFont, target: Path, characters: set[int] | None = None) -> None:
    options = subset.Options(hinting=False, name_IDs=NAMES, notdef_outline=True, glyph_names=False)
    options.drop_tables += ["BASE", "vhea", "vmtx", "VORG"]  # for lines that run down
    if characters is None:
        options.layout_features = ["*"]
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=characters or font.getBestCmap().keys())
    subsetter.subset(font)
    font["cmap"].tables = [_whole(font)]
    font.save(target)


def _whole(font: TTFont) -> object:
    """One table of characters, in the format that holds them all (12), which is the one that alphabet.py reads."""
    table = next((table for table in font["cmap"].tables if table.format == 12), None)
    if table is None:
        table = font["cmap"].tables[-1].newSubtable(12)
        table.platformID, table.platEncID, table.language = 3, 10, 0
        table.cmap = dict(font.getBestCmap())
    return table


def national() -> set[int]:
    pairs = [bytes([first, second]) for first in range(0x81, 0xFF) for second in range(0x40, 0xFF)]
    texts = (pair.decode(codec, "ignore") for codec in NATIONAL for pair in pairs)
    return {ord(text) for text in texts if len(text) == 1}


def main(folder: Path) -> None:
    for script in ("", *SCRIPTS):
        name = f"NotoSans{script}-Regular.ttf"
        make(TTFont(folder / "truetype/noto" / name), FONTS / name)
    collection = folder / "opentype/noto/NotoSansCJK-Regular.ttc"
    make(TTFont(collection, fontNumber=SIMPLIFIED), FONTS / "NotoSansCJKsc-Regular.otf", national())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
