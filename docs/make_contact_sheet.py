"""Create the image sheet of the README from a generated folder: one column per class, eight images each.

python main.py generate --classes ALL=8 --output sheet
python docs/make_contact_sheet.py sheet docs/pictures/contact_sheet.jpg
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from core.classes import CLASSES

ROWS = 8
GAP = 4
HEADING = 24


def contact_sheet(folder: Path) -> Image.Image:
    """Return a sheet with the first eight images of every class below the name of the class."""
    columns = [sorted((folder / name).glob("ISIC_*.png"))[:ROWS] for name in CLASSES]
    with Image.open(columns[0][0]) as first:
        cell = first.width
    width = len(CLASSES) * (cell + GAP) + GAP
    sheet = Image.new("RGB", (width, HEADING + ROWS * (cell + GAP)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(16)
    for column, (name, files) in enumerate(zip(CLASSES, columns, strict=True)):
        left = GAP + column * (cell + GAP)
        draw.text((left + cell / 2, HEADING / 2), name, fill="black", font=font, anchor="mm")
        for row, file in enumerate(files):
            with Image.open(file) as image:
                sheet.paste(image, (left, HEADING + row * (cell + GAP)))
    return sheet


def main() -> int:
    """Write the sheet of the folder named first to the file named second."""
    target = Path(sys.argv[2])
    target.parent.mkdir(parents=True, exist_ok=True)
    contact_sheet(Path(sys.argv[1])).save(target, quality=88)
    return 0


if __name__ == "__main__":
    sys.exit(main())
