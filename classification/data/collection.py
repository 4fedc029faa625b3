"""Labelled images in the forms that they come in: a HAM10000 folder, a prepared collection, a generated set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from classification.tasks import Task
from core.classes import CLASSES
from core.errors import ArgumentError
from core.io.json_text import parse_json
from core.real_data.csv_tables import read_rows
from core.real_data.diagnoses import class_of
from core.real_data.image_listing import COLUMNS, check_readable, find_tables, is_photograph, list_images, tables_with

MASKS: Final = "masks"
PREPARED_FORMAT: Final = "isicgui.prepared/1"
PREPARED_FILE: Final = "prepared.json"
PREPARED_TABLE: Final = "images.csv"


@dataclass(frozen=True)
class LabelledImage:
    """One image: its file, its label and the lesion that it shows.

    Attributes:
        path: the file.
        image_id: its name in tables, unique within a collection.
        lesion_id: images of one lesion share it; they never go into different parts.
        class_name: a class code of HAM10000, or MALIGNANT or BENIGN.
        facts: what else the table says: age, sex, localization, skin_type.
        masks: the folder of the lesion masks, each named by its image_id; None where there is none.
    """

    path: Path
    image_id: str
    lesion_id: str
    class_name: str
    facts: Mapping[str, str] = field(default_factory=dict, hash=False, compare=False)
    masks: Path | None = None


@dataclass(frozen=True)
class Collection:
    """The images of one folder.

    Attributes:
        folder: where they were found.
        images: those whose file is there, in the order of the table.
        missing: names of images that the table lists and the folder does not hold.
        twice: the name of every row beyond the first for an image; it was passed over.
        foreign: diagnosis that is none of the seven to the number of its images, which were left out.
        parts: image_id to part, where the folder says it; empty for HAM10000, which is split by ``splits``.
        contrast: the question that the labels answer, where they answer one only.
        tables: those that list the images, where a folder of HAM10000 has them.
    """

    folder: Path
    images: tuple[LabelledImage, ...]
    missing: tuple[str, ...] = ()
    twice: tuple[str, ...] = ()
    foreign: Mapping[str, int] = field(default_factory=dict, hash=False)
    parts: Mapping[str, str] = field(default_factory=dict, hash=False)
    contrast: str | None = None
    tables: tuple[Path, ...] = ()

    def describe(self) -> str:
        """How many images of what, and what was left out, in one sentence."""
        counts = Counter(image.class_name for image in self.images)
        lesions = len({image.lesion_id for image in self.images})
        tables = " and ".join(table.relative_to(self.folder).as_posix() for table in self.tables)
        joined = f"; the tables {tables} are read as one list" if len(self.tables) > 1 else ""
        missing = f"; {len(self.missing):,} more are listed and not there" if self.missing else ""
        twice = f"; {len(self.twice):,} rows list an image again and are passed over" if self.twice else ""
        named = ", ".join(f"{diagnosis!r} {count:,}" for diagnosis, count in self.foreign.items())
        foreign = f"; left out are diagnoses that are none of the seven ({named})" if named else ""
        classes = ", ".join(f"{name} {count:,}" for name, count in counts.most_common())
        return (
            f"{self.folder}: {len(self.images):,} images of {lesions:,} lesions ({classes})"
            f"{joined}{missing}{twice}{foreign}."
        )


def open_collection(folder: Path) -> Collection:
    """Read a folder in whichever of the two forms it has.

    Raises:
        ArgumentError: it has neither, or what it holds contradicts itself.
    """
    return read_prepared(folder) if (folder / PREPARED_FILE).is_file() else read_ham10000(folder)


def read_ham10000(folder: Path) -> Collection:
    """Read a HAM10000 folder, as ``core.real_data.image_listing`` describes it.

    Raises:
        ArgumentError: no such table or one that cannot be read, none of its images there, or none of the seven classes.
    """
    tables = find_tables(folder)
    chosen = tables_with(tables, COLUMNS)
    if not chosen:
        check_readable(tables)
        raise ArgumentError(
            f"{folder} is neither a HAM10000 folder (images, and a table with lesion_id, image_id and dx) nor prepared."
        )
    listing = list_images(folder, tables, chosen)
    listing.check_any()
    images, foreign = [], Counter[str]()
    for found in listing.images:
        class_name = class_of(found.row["dx"])
        if class_name is None:
            foreign[found.row["dx"]] += 1
        else:
            facts = {name: value for name, value in found.row.items() if name not in COLUMNS}
            lesion_id, masks = found.lesion_id or found.name, folder / MASKS
            images.append(LabelledImage(found.path, found.name, lesion_id, class_name, facts, masks))
    if not images:
        first = listing.images[0]
        raise ArgumentError(
            f"{chosen[0]} gives {first.name} the label {first.row['dx']!r}, and no image a known one; known are "
            f"{', '.join(CLASSES).lower()}."
        )
    return Collection(folder, tuple(images), listing.missing, listing.twice, foreign, tables=listing.tables)


def read_prepared(folder: Path) -> Collection:
    """Read what ``prepare`` wrote.

    Raises:
        ArgumentError: it is not of the known form, or an image has gone since.
    """
    try:
        facts = parse_json((folder / PREPARED_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArgumentError(f"{folder / PREPARED_FILE} cannot be read ({error}); run prepare again.") from error
    known = isinstance(facts, dict) and facts.get("format") == PREPARED_FORMAT
    if not known or not isinstance(facts.get("images"), str) or not isinstance(facts.get("contrast"), str):
        raise ArgumentError(f"{folder / PREPARED_FILE} is not of the form {PREPARED_FORMAT}; run prepare again.")
    place, images, parts = Path(facts["images"]), [], {}
    for row in read_rows(folder / PREPARED_TABLE):
        extra = {"skin_type": row["skin_type"], "label": row["label"]}
        image = LabelledImage(place / row["file"], row["image_id"], row["lesion_id"], row["class"], extra)
        if not image.path.is_file():
            raise ArgumentError(f"{image.path} has gone since {folder} was prepared; run prepare again.")
        images.append(image)
        parts[image.image_id] = row["part"]
    _check_unique(folder / PREPARED_TABLE, images)
    return Collection(folder, tuple(images), parts=parts, contrast=facts["contrast"])


def read_synthetic(folder: Path) -> tuple[LabelledImage, ...]:
    """Read generated images: ``<CLASS>/*.png``, as ``main.py generate`` writes them.

    Raises:
        ArgumentError: no class folder with an image in it.
    """
    found = tuple(
        LabelledImage(path, f"synthetic-{name}-{path.stem}", f"synthetic-{name}-{path.stem}", name)
        for name in CLASSES
        for path in sorted((folder / name).glob("*.png"))
        if is_photograph(path.name)
    )
    if not found:
        raise ArgumentError(f"{folder} holds no generated images: no <CLASS>/*.png for any of {', '.join(CLASSES)}.")
    return found


def labels_of(images: Sequence[LabelledImage], task: Task) -> list[int]:
    """The task's output of each image.

    Raises:
        ArgumentError: a label that does not belong to the task.
    """
    return [task.index(image.class_name) for image in images]


def check_every_class(images: Sequence[LabelledImage], task: Task, part: str) -> None:
    """Refuse a part in which a class of the task does not occur.

    Raises:
        ArgumentError: names the class and the part.
    """
    there = set(labels_of(images, task))
    for index, name in enumerate(task.classes):
        if index not in there:
            raise ArgumentError(
                f"The {part} part has {len(images)} images and none of the class {name!r}, so nothing can be said "
                f"about it; give more images, or another split."
            )


def _check_unique(table: Path, images: Sequence[LabelledImage]) -> None:
    name, times = Counter(image.image_id for image in images).most_common(1)[0] if images else ("", 1)
    if times > 1:
        raise ArgumentError(f"{table} lists the image {name} {times} times; list it once.")
