from __future__ import annotations

from dataclasses import asdict

import pytest

from core.errors import ArgumentError
from core.generation.job import GenerationJob
from core.presets import FAST, PRESETS, STANDARD, preset_named, preset_of


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_job_and_known_by_its_values(name: str) -> None:
    values = asdict(preset_named(name))
    job = GenerationJob({"MEL": 1}, **values)
    assert preset_of(job.sampler, job.steps, job.reuse) == name


def test_standard_is_what_a_job_is_without_a_preset() -> None:
    assert GenerationJob({"MEL": 1}) == GenerationJob({"MEL": 1}, **asdict(PRESETS[STANDARD]))


def test_fast_evaluates_the_network_less() -> None:
    def evaluations(name: str) -> int:
        return -(-PRESETS[name].steps // PRESETS[name].reuse)

    assert evaluations(FAST) < evaluations(STANDARD)


def test_other_values_are_no_preset() -> None:
    standard = PRESETS[STANDARD]
    assert preset_of(standard.sampler, standard.steps + 1, standard.reuse) is None
    assert preset_of(standard.sampler, standard.steps, standard.reuse + 1) is None


def test_an_unknown_preset_is_named() -> None:
    with pytest.raises(ArgumentError, match=r"no preset 'turbo'; choose from standard, fast\."):
        preset_named("turbo")
