from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from classification.data.groups import GROUPS
from classification.events import Note
from classification.fairness.audit import AuditJob, audit
from classification.training.job import BEST, SPLIT
from core.errors import ArgumentError, IsicGuiError, JobFailedError, OutputFolderError
from core.generation.events import Event
from tests.classification.conftest import write_classifier


@pytest.fixture
def job(trained_run: Path, prepared: Path, cache: Path, tmp_path: Path) -> AuditJob:
    after = write_classifier(tmp_path / "after.pt", "binary", "malignant", size=40)
    classifiers = {"before": trained_run / BEST, "after": after}
    return AuditJob(classifiers, prepared, tmp_path / "out", minimum=3, resamples=100, device="cpu", cache=cache)


def test_classifiers_are_audited_together(job: AuditJob) -> None:
    result = audit(job)
    found = result["groupings"]["skin_type"]
    assert set(found["series"]) >= {"before", "after"}
    for series in found["series"].values():
        assert [cell["group"] for cell in series["cells"]] == list(GROUPS["skin_type"])
        assert all(cell["images"] == cell["positives"] + cell["negatives"] == 8 for cell in series["cells"])
    assert found["changes"]["after"]["from"] == "before"
    assert json.loads((job.output / "fairness.json").read_text()) == json.loads(json.dumps(result))
    with (job.output / "skin_type.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 6 * len(found["series"])
    html = (job.output / "report.html").read_text()
    assert "Fairness audit: before, after, malignant yes or no" in html
    assert result["data"]["question"] == "malignant"
    assert "from before to after" in html


def test_cells_with_too_few_stay_in_every_table(job: AuditJob) -> None:
    result = audit(replace(job, minimum=10))
    found = result["groupings"]["skin_type"]
    assert all(cell["sensitivity"] == "too few" for cell in found["series"]["before"]["cells"])
    assert all(gap["size"] == "too few" for gap in found["series"]["before"]["gaps"])
    assert len([note for note in found["notes"] if "too few validation lesions" in note]) == 2
    with (job.output / "skin_type.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert {row["sensitivity"] for row in rows} == {"too few"}
    assert [row["group"] for row in rows] == [*GROUPS["skin_type"]] * 2
    html = (job.output / "report.html").read_text()
    assert html.count("too few") > 6 * 2 * 3
    assert "the gap cannot be measured" in html


def test_ham10000_is_audited_by_tone_sex_and_age(job: AuditJob, ham10000: Path, trained_run: Path) -> None:
    classifiers = {"HAM10000": trained_run / BEST}
    groupings = ("skin_tone", "sex", "age")
    result = audit(replace(job, classifiers=classifiers, data=ham10000, groupings=groupings, minimum=1))
    for grouping in groupings:
        cells = result["groupings"][grouping]["series"]["HAM10000"]["cells"]
        assert sum(cell["images"] for cell in cells) == result["data"]["images"]
    assert "disagree strongly" in (job.output / "report.html").read_text()


@pytest.fixture
def other_split(trained_run: Path, tmp_path: Path) -> Path:
    """A classifier next to a split in which training and test images are swapped."""
    lines = (trained_run / SPLIT).read_text().splitlines()
    swapped = {"training": "test", "test": "training"}
    changed = [",".join([*line.split(",")[:3], swapped.get(line.split(",")[3], line.split(",")[3])]) for line in lines]
    (tmp_path / SPLIT).write_text("\n".join(changed))
    return write_classifier(tmp_path / "other.pt")


def test_classifiers_of_different_splits_are_not_compared(
    job: AuditJob, ham10000: Path, trained_run: Path, other_split: Path
) -> None:
    classifiers = {"one": trained_run / BEST, "two": other_split}
    with pytest.raises(ArgumentError, match="two and one were trained on different splits"):
        audit(replace(job, classifiers=classifiers, data=ham10000, groupings=("sex",)))


def test_classifiers_that_answer_different_questions_are_not_compared(
    job: AuditJob, ham10000: Path, trained_run: Path, tmp_path: Path
) -> None:
    """HAM10000 defines no question, so each classifier would be measured by a different one."""
    own = write_classifier(tmp_path / "own.pt", contrast="malignant")
    ours = {"one": trained_run / BEST, "two": own}
    with pytest.raises(ArgumentError, match=r"different questions \(one: melanoma, two: malignant\)"):
        audit(replace(job, classifiers=ours, data=ham10000, groupings=("sex",)))


def test_an_audit_that_is_not_possible_is_refused(job: AuditJob, ham10000: Path, trained_run: Path) -> None:
    with pytest.raises(ArgumentError, match="nothing to audit"):
        audit(replace(job, classifiers={}))
    with pytest.raises(ArgumentError, match="skin type of all"):
        audit(replace(job, classifiers={"one": trained_run / BEST}, data=ham10000))
    with pytest.raises(ArgumentError, match="minimum 0"):
        replace(job, minimum=0)
    with pytest.raises(ArgumentError, match="grouping 'eye colour' does not exist"):
        replace(job, groupings=("skin_type", "eye colour"))


def test_wrong_groupings_and_comparisons_are_refused_before_any_image_is_classified(
    job: AuditJob, ham10000: Path, trained_run: Path, other_split: Path
) -> None:
    """Classifying takes minutes."""
    events: list[Event] = []
    one = {"one": trained_run / BEST}
    for refused in (
        replace(job, classifiers=one, data=ham10000, groupings=("sex", "skin_type")),
        replace(job, classifiers={**one, "two": other_split}, data=ham10000, groupings=("sex",)),
        replace(job, classifiers={**one, "two": job.output / "none.pt"}),
    ):
        with pytest.raises(IsicGuiError):
            audit(refused, events.append)
    assert {type(event) for event in events} <= {Note}
    assert not job.output.exists()


def test_an_unwritable_output_is_found_before_any_image_is_classified(job: AuditJob) -> None:
    events: list[Event] = []
    job.output.write_text("a file")
    with pytest.raises(OutputFolderError, match="out cannot be written"):
        audit(job, events.append)
    assert {type(event) for event in events} == {Note}


def test_a_result_that_cannot_be_written_leaves_no_json(job: AuditJob) -> None:
    (job.output / "report.html").mkdir(parents=True)
    with pytest.raises(JobFailedError, match=r"report\.html cannot be written"):
        audit(job)
    assert not (job.output / "fairness.json").exists()
