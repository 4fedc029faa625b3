"""Which output of a foreign classifier stands for which class, by the names that its file gives."""

from __future__ import annotations

from collections.abc import Sequence

from core.classes import CLASSES
from core.models.resnet_weights import ForeignWeightsError
from core.real_data.diagnoses import class_of


def rows_of_classes(names: Sequence[str], outputs: int) -> tuple[list[int], list[str]]:
    """Which output stands for each of the seven classes, by name.

    Args:
        names: of the outputs, in their order.
        outputs: how many there are.

    Returns:
        The index of the output of each class, in the order of ``CLASSES``, and the names of further outputs.

    Raises:
        ForeignWeightsError: a class has no output, or two, or there are more or fewer names than outputs.
    """
    if len(names) != outputs:
        raise ForeignWeightsError(f"it names {len(names)} classes ({', '.join(names)}) and has {outputs} outputs")
    codes = [class_of(name) for name in names]
    for code in CLASSES:
        times = codes.count(code)
        if times != 1:
            raise ForeignWeightsError(
                f"its outputs are {', '.join(names)}, of which {times or 'none'} {'mean' if times > 1 else 'means'} "
                f"{code}; name them {', '.join(CLASSES)} in the order of the outputs"
            )
    return [codes.index(code) for code in CLASSES], [n for n, code in zip(names, codes, strict=True) if code is None]
