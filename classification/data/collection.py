"""Read labelled images: from tables and images, from a prepared collection, or from a generated set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from classification.data.split_column import check_lesions, part_of, with_validation
from classification.tasks import BENIGN, MALIGNANT, Task
from core.classes import CLASSES
from core.errors import ArgumentError
from core.io.file_names import is_plain_name
from core.io.json_text import parse_json
from core.io.plain_text import shortened
from core.io.regular_file import read_regular
from core.real_data.csv_tables import read_rows
from core.real_data.diagnoses import class_of
from core.real_data.image_listing import (
    LESION_ID,
    ListedImage,
    check_readable,
    find_tables,
    is_photograph,
    list_images,
)
from core.real_data.table_forms import EXPECTED, TableForm, facts_of, form_of

MASKS: Final = "masks"
PREPARED_FORMAT: Final = "isicgui.prepared/1"
PREPARED_FILE: Final = "prepared.json"
PREPARED_TABLE: Final = "images.csv"
_PREPARED_COLUMNS: Final = ("image_id", "lesion_id", "class", "part", "skin_type", "label", "file")
_LARGEST_FACTS: Final = 1 << 16


@dataclass(frozen=True)
class LabelledImage:
    """One image with its label and lesion.

    Attributes:
        path: the file.
        image_id: name in tables, unique within a collection.
        lesion_id: shared by all images of a lesion, which always belong to the same part.
        class_name: a class code of HAM10000, or MALIGNANT or BENIGN.
        facts: other values of the table: age, sex, localization, skin_type.
        masks: folder of the lesion masks, which are named after the image_id; None if there is none.
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
        folder: the folder.
        images: the images whose file exists, in the order of the table.
        missing: names of listed images whose file does not exist.
        twice: names of images that are listed again; only the first row counts.
        foreign: number of images of each diagnosis outside the seven classes; these images are left out.
        parts: image_id to part, if the folder defines the split: prepared, or with a split column. Otherwise empty, and
            ``splits`` draws one.
        left_out: number of images that a split column puts into no part.
        named_lesions: whether a table names lesions; otherwise each image counts as a lesion.
        contrast: the question that the labels answer, if they answer only one.
        tables: the tables that list the images; empty for a prepared folder.
        form: name of the tables' form (``core.real_data.table_forms``); empty for a prepared folder.
    """

    folder: Path
    images: tuple[LabelledImage, ...]
    missing: tuple[str, ...] = ()
    twice: tuple[str, ...] = ()
    foreign: Mapping[str, int] = field(default_factory=dict, hash=False)
    parts: Mapping[str, str] = field(default_factory=dict, hash=False)
    contrast: str | None = None
    tables: tuple[Path, ...] = ()
    left_out: int = 0
    named_lesions: bool = True
    form: str = ""

    def describe(self) -> str:
        """Numbers of images, lesions and classes, and the images that were left out, in one sentence."""
        counts = Counter(image.class_name for image in self.images)
        lesions = len({image.lesion_id for image in self.images})
        tables = " and ".join(table.relative_to(self.folder).as_posix() for table in self.tables)
        joined = f"; the tables {tables} are read as one list" if len(self.tables) > 1 else ""
        missing = f"; {len(self.missing):,} more are listed but missing" if self.missing else ""
        twice = f"; {len(self.twice):,} rows list an image again and are ignored" if self.twice else ""
        named = ", ".join(f"{diagnosis!r} {count:,}" for diagnosis, count in self.foreign.items())
        foreign = f"; diagnoses outside the seven classes are left out ({named})" if named else ""
        classes = ", ".join(f"{name} {count:,}" for name, count in counts.most_common())
        lesions_named = "" if self.named_lesions else "; no table names lesions, so each image counts as one"
        return (
            f"{self.folder}: {len(self.images):,} images of {lesions:,} lesions ({classes})"
            f"{joined}{missing}{twice}{foreign}{lesions_named}{self._describe_split()}."
        )

    def _describe_split(self) -> str:
        if not (self.parts and self.tables):
            return ""
        counts = Counter(self.parts.values())
        named = ", ".join(f"{part} {count:,}" for part, count in sorted(counts.items()))
        rest = f"; {self.left_out:,} images are in no part and are left out" if self.left_out else ""
        return f"; the split column decides the parts ({named}){rest}"


def open_collection(folder: Path) -> Collection:
    """Read an output of ``prepare``, or a folder with tables of a form of ``core.real_data.table_forms``.

    Raises:
        ArgumentError: the folder has neither form, or its content is inconsistent.
    """
    return read_prepared(folder) if (folder / PREPARED_FILE).is_file() else read_listed(folder)


def read_listed(folder: Path) -> Collection:
    """Read images that tables list, as ``core.real_data.image_listing`` describes it.

    A ``split`` column decides the parts. If no diagnosis is one of the seven but all known words are "benign" and
    "malignant", these two are the labels.

    Raises:
        ArgumentError: there is no readable table, none of its images exist, no label is known, or a split column has a
            lesion in two parts.
    """
    tables = find_tables(folder)
    chosen = form_of(tables)
    if chosen is None:
        check_readable(tables)
        raise ArgumentError(
            f"{folder} is neither a HAM10000 folder (images, and a table with lesion_id, image_id and dx) nor "
            f"prepared, and it has no other table of a known form: {EXPECTED}."
        )
    form, files = chosen
    listing = list_images(folder, tables, files, form.image)
    listing.check_any()
    words = [form.diagnosis(found.row) for found in listing.images]
    labels, contrast = _labels(words)
    foreign = Counter(word for word, label in zip(words, labels, strict=True) if label is None)
    known = [(found, label) for found, label in zip(listing.images, labels, strict=True) if label]
    if not known:
        first = listing.images[0]
        raise ArgumentError(
            f"{files[0]} gives {first.name} the label {words[0]!r}, and no image has a known label; use "
            f"{', '.join(CLASSES).lower()}."
        )
    images = [_labelled(folder, form, found, label) for found, label in known]
    parts = _parts(str(files[0]), images, [" ".join(facts_of(found.row, "split")[:1]) for found, _ in known])
    kept = tuple(image for image in images if not parts or image.image_id in parts)
    return Collection(
        folder,
        kept,
        listing.missing,
        listing.twice,
        foreign,
        parts,
        contrast,
        listing.tables,
        len(images) - len(kept),
        any(found.lesion_id for found in listing.images),
        form.name,
    )


def _labels(words: Sequence[str]) -> tuple[list[str | None], str | None]:
    """The class of each diagnosis, and the one question that they answer if they are just benign and malignant."""
    classes = [class_of(word) for word in words]
    if any(classes):
        return classes, None
    outcomes = [{"malignant": MALIGNANT, "benign": BENIGN}.get(word.lower()) for word in words]
    return outcomes, "malignant" if any(outcomes) else None


def _labelled(folder: Path, form: TableForm, found: ListedImage, label: str) -> LabelledImage:
    facts = {name: value for name, value in found.row.items() if name not in (LESION_ID, form.image, "dx")}
    for fact in ("age", "sex", "skin_type"):
        facts[fact] = next(iter(facts_of(found.row, fact)), "")
    return LabelledImage(found.path, found.name, found.lesion_id or found.name, label, facts, folder / MASKS)


def _parts(source: str, images: Sequence[LabelledImage], words: Sequence[str]) -> dict[str, str]:
    """Image to part by the split column; empty if the tables have none or no word in it names a part."""
    pairs = [(image, part) for image, word in zip(images, words, strict=True) if (part := part_of(word))]
    if not pairs:
        return {}
    lesions, parts = [image.lesion_id for image, _ in pairs], [part for _, part in pairs]
    check_lesions(source, lesions, parts)
    parts = with_validation(lesions, [image.class_name for image, _ in pairs], parts)
    return {image.image_id: part for (image, _), part in zip(pairs, parts, strict=True)}


def read_prepared(folder: Path) -> Collection:
    """Read the output of ``prepare``.

    Raises:
        ArgumentError: the form is unknown, or an image no longer exists.
    """
    facts = _prepared_facts(folder / PREPARED_FILE)
    source, images, parts = Path(facts["images"]), [], {}
    table = folder / PREPARED_TABLE
    for row in read_rows(table):
        if not set(_PREPARED_COLUMNS) <= set(row) or not is_plain_name(row["file"]):
            raise ArgumentError(
                f"{table} has a row without {', '.join(_PREPARED_COLUMNS)}, or whose file {shortened(row.get('file'))} "
                "is not a plain file name; run prepare again."
            )
        extra = {"skin_type": row["skin_type"], "label": row["label"]}
        image = LabelledImage(source / row["file"], row["image_id"], row["lesion_id"], row["class"], extra)
        if not image.path.is_file():
            raise ArgumentError(f"{image.path} no longer exists, but {folder} lists it; run prepare again.")
        images.append(image)
        parts[image.image_id] = row["part"]
    _check_unique(table, images)
    return Collection(folder, tuple(images), parts=parts, contrast=facts["contrast"])


def _prepared_facts(file: Path) -> Mapping[str, str]:
    """Folder of the images and contrast, as ``prepare`` recorded them."""
    try:
        facts = parse_json(read_regular(file, _LARGEST_FACTS).decode("utf-8"))
    except (OSError, ValueError) as error:
        raise ArgumentError(f"{file} cannot be read ({error}); run prepare again.") from error
    known = isinstance(facts, dict) and facts.get("format") == PREPARED_FORMAT
    if not known or not all(isinstance(facts.get(name), str) for name in ("images", "contrast")):
        raise ArgumentError(f"{file} is not of the form {PREPARED_FORMAT}; run prepare again.")
    return {name: facts[name] for name in ("images", "contrast")}


def read_synthetic(folder: Path) -> tuple[LabelledImage, ...]:
    """Read generated images: ``<CLASS>/*.png``, as ``main.py generate`` writes them.

    Raises:
        ArgumentError: there is no class folder with an image.
    """
    found = tuple(
        LabelledImage(path, f"synthetic-{name}-{path.stem}", f"synthetic-{name}-{path.stem}", name)
        for name in CLASSES
        for path in sorted((folder / name).glob("*.png"))
        if is_photograph(path.name) and path.is_file()
    )
    if not found:
        raise ArgumentError(
            f"{folder} contains no generated images: there is no <CLASS>/*.png for any of {', '.join(CLASSES)}."
        )
    return found


def labels_of(images: Sequence[LabelledImage], task: Task) -> list[int]:
    """Output index of each image's label.

    Raises:
        ArgumentError: a label does not belong to the task.
    """
    return [task.index(image.class_name) for image in images]


def check_every_class(images: Sequence[LabelledImage], task: Task, part: str) -> None:
    """Refuse a part without images of a class of the task.

    Raises:
        ArgumentError: the message names the class and the part.
    """
    there = set(labels_of(images, task))
    for index, name in enumerate(task.classes):
        if index not in there:
            raise ArgumentError(
                f"The {part} part has {len(images)} images but none of the class {name!r}, so this class cannot be "
                "measured; add images or use another split."
            )


def _check_unique(table: Path, images: Sequence[LabelledImage]) -> None:
    name, times = Counter(image.image_id for image in images).most_common(1)[0] if images else ("", 1)
    if times > 1:
        raise ArgumentError(f"{table} lists the image {name} {times} times; list it once.")
