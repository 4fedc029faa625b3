from __future__ import annotations

from core.classes import CLASSES
from core.real_data.diagnoses import DIAGNOSES, class_of


def test_every_word_means_a_class_however_it_is_written() -> None:
    assert set(DIAGNOSES.values()) == set(CLASSES)
    assert {class_of(name.upper().replace(" ", "_")) for name in DIAGNOSES} == set(CLASSES)
    assert class_of("Nevus, NOS, Compound") == "NV"
    assert class_of("Melanoma Invasive") == "MEL"


def test_other_words_mean_none_of_the_seven() -> None:
    assert class_of("squamous cell carcinoma") is None
    assert class_of("melanocytoma") is None
    assert class_of("") is None
