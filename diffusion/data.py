"""Real images for training: found in a folder of any form, labelled, and split so that no lesion is in both parts.

The content of a folder decides its form (``core.real_data.table_forms`` lists the tables):

HAM10000_metadata.csv   columns lesion_id, image_id, dx (and age, sex, localization)
ISIC 2018, ISIC 2019    columns image and one per class, of which one is 1
ISIC archive            columns isic_id and diagnosis or diagnosis_1, ... (and age_approx, sex, anatom_site_general)
ISIC 2020               columns image_name and diagnosis (and age_approx, sex, anatom_site_general_challenge)
PAD-UFES-20             columns img_id and diagnostic (and age, gender, region)
melanoma-fair-xai       columns image_id and benign_malignant: 1 is melanoma, 0 is nevus
metadata                isic_id or image_id with sex, age or site alone: for metadata-conditioned models
class folders           no such table; folders named after the classes, at any depth
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.classes import CLASSES
from core.errors import ArgumentError
from core.models.conditions import METADATA, Condition
from core.real_data.held_out import held_out_lesions

FEWEST_IMAGES = 10
_EXAMPLES = 3


class DataError(ArgumentError):
    """The data folder does not hold what training needs; the message says what is missing."""


@dataclass(frozen=True)
class LabelledImage:
    """One real image.

    Attributes:
        path: its file.
        class_name: class code; None where the diagnosis is none of the seven.
        lesion_id: the lesion that it shows; the image's own name where nobody says.
        condition: what is known of the lesion and the patient.
        mask: the file of its lesion mask; None if there is none.
    """

    path: Path
    class_name: str | None
    lesion_id: str
    condition: Condition = field(default_factory=Condition)
    mask: Path | None = None


@dataclass
class Found:
    """What a data folder holds, and what was left out of it and why."""

    folder: Path
    form: str
    images: list[LabelledImage] = field(default_factory=list)
    skipped: dict[str, list[str]] = field(default_factory=dict)

    def skip(self, reason: str, name: str) -> None:
        """Leave something out, by name."""
        self.skipped.setdefault(reason, []).append(name)

    def counts(self) -> dict[str, int]:
        """Images per class, in the order of the classes; only classes that are there."""
        counted = Counter(image.class_name for image in self.images)
        return {name: counted[name] for name in CLASSES if counted[name]}

    def report(self) -> list[str]:
        """A few lines for people."""
        lesions = len({image.lesion_id for image in self.images})
        counts = ", ".join(f"{name} {count}" for name, count in self.counts().items())
        lines = [f"{self.folder}: {self.form}, {len(self.images)} images of {lesions} lesions ({counts})"]
        known = {name: sum(_is_known(image.condition, name) for image in self.images) for name in METADATA}
        known["lesion mask"] = sum(image.mask is not None for image in self.images)
        lines.append("known of them: " + ", ".join(f"{name} {count}" for name, count in known.items()))
        for reason, names in self.skipped.items():
            examples = ", ".join(names[:_EXAMPLES]) + (", ..." if len(names) > _EXAMPLES else "")
            lines.append(f"skipped {len(names)}: {reason} ({examples})")
        return lines


def of_classes(found: Found, classes: Sequence[str] | None) -> dict[str, list[LabelledImage]]:
    """The images of each class that was asked for; of all that have enough where ``classes`` is None.

    Raises:
        DataError: a class that was named has fewer than ten images, or no class has as many.
    """
    groups = {name: [image for image in found.images if image.class_name == name] for name in classes or CLASSES}
    enough = {name: images for name, images in groups.items() if len(images) >= FEWEST_IMAGES}
    for name, images in groups.items():
        if name in enough or not (classes or images):
            continue
        text = f"{name} has {len(images)} images in {found.folder}, and training needs at least {FEWEST_IMAGES}"
        if classes:
            raise DataError(
                f"{text}, for fewer would be learnt by heart; add images of it, or leave it out of --classes."
            )
        found.skip(text, name)
    if not enough:
        raise DataError(f"No class in {found.folder} has {FEWEST_IMAGES} images, which is the least; add images.")
    return enough


def split_by_lesion(images: Sequence[LabelledImage]) -> tuple[list[LabelledImage], list[LabelledImage]]:
    """Split into (training, held out): no lesion has images in both.

    ``core.real_data.held_out.held_out_lesions`` decides which lesions are held out.
    """
    held_out = held_out_lesions(image.lesion_id for image in images)
    training = [image for image in images if image.lesion_id not in held_out]
    return training, [image for image in images if image.lesion_id in held_out]


def _is_known(condition: Condition, name: str) -> bool:
    return getattr(condition, name) is not None
