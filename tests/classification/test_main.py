from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from classification.__main__ import main
from classification.arguments import build_parser
from classification.document import fill_document
from classification.evaluation.runner import EvaluationJob, evaluate
from classification.study import StudyJob, study_fairness, study_ham10000
from classification.training.job import BEST, RESULT, STATE
from core.errors import ArgumentError
from core.paths import PROJECT_ROOT
from tests.classification.conftest import write_classifier, write_ham10000

QUICK = ["--device", "cpu", "--resamples", "60"]


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, contextlib\nfrom classification.__main__ import main\n"
        "with contextlib.suppress(SystemExit):\n    main(['--help'])\n"
        "assert not {'torch', 'lightning', 'numpy', 'matplotlib'} & set(sys.modules), 'loaded'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    for command in ("train", "finetune", "evaluate", "fidelity", "prepare", "fairness", "export", "study", "document"):
        assert command in done.stdout


def test_the_commands_lead_from_training_to_the_fairness_report(
    ham10000: Path, fitzpatrick: Path, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, split, kept = str(tmp_path / "run"), str(tmp_path / "split.csv"), ["--cache", str(cache)]
    sizes = ["--size", "40", "--epochs", "1", "--batch-size", "28", "--device", "cpu", "--precision", "fp32"]
    training = ["train", "--data", str(ham10000), "--output", run, "--split", split, "--no-imagenet", *sizes, *kept]
    assert main([*training, "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"note", "trained", "validated"} <= {event["event"] for event in events}
    best = f"{run}/{BEST}"
    assert main(["evaluate", "--checkpoint", best, "--data", str(ham10000), "--tta", *QUICK, *kept]) == 0
    assert (tmp_path / "run" / "evaluation" / "report.html").is_file()
    ready = str(tmp_path / "ready")
    prepare = ["prepare", "fitzpatrick17k", "--csv", str(fitzpatrick), "--images", str(fitzpatrick.parent / "images")]
    assert main([*prepare, "--output", ready]) == 0
    tuned = str(tmp_path / "tuned")
    tuning = ["finetune", "--from", best, "--data", ready, "--output", tuned, *sizes[2:], *kept]
    assert main(tuning) == 0
    assert json.loads((tmp_path / "tuned" / RESULT).read_text())["image_size"] == 40
    fairness = ["fairness", "--model", f"before={best}", "--model", f"after={tuned}/{BEST}", "--data", ready]
    assert main([*fairness, "--output", str(tmp_path / "fair"), "--minimum", "2", *QUICK, *kept]) == 0
    assert "Fairness audit: before, after" in (tmp_path / "fair" / "report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--data", "{tmp}"], "neither a HAM10000 folder"),
        (["train", "--data", "{tmp}", "--sampling", "odd"], "sampling 'odd' does not exist"),
        (["evaluate", "--checkpoint", "{tmp}/none.pt", "--data", "{tmp}"], "There is no checkpoint"),
        (
            ["evaluate", "--checkpoint", "{tmp}/none.pt", "--data", "{tmp}", "--threshold", "0.3"],
            "threshold '0.3' does not exist",
        ),
        (["train", "--data", "{tmp}", "--weight-decay", "-1"], "weight decay -1.0 is out of range"),
        *(
            ([*command, option, value], message)
            for command in (
                ["evaluate", "--checkpoint", "{tmp}/none.pt", "--data", "{tmp}"],
                ["fidelity", "--checkpoint", "{tmp}/none.pt", "--data", "{tmp}"],
                ["fairness", "--model", "a={tmp}/none.pt", "--data", "{tmp}"],
            )
            for option, value, message in (
                ("--resamples", "0", "resamples 0 is out of range"),
                ("--seed", "-1", "seed -1 is out of range"),
            )
        ),
        (["fidelity", "--checkpoint", "{tmp}/no.pt", "--data", "{tmp}", "--images", "0"], "images 0 is out of range"),
        (["fidelity", "--checkpoint", "{tmp}/no.pt", "--data", "{tmp}", "--images", "-3"], "images -3 is out of range"),
        (
            ["fidelity", "--checkpoint", "{tmp}/no.pt", "--data", "{tmp}", "--ig-steps", "0"],
            "ig steps 0 is out of range",
        ),
        (
            ["fidelity", "--checkpoint", "{tmp}/no.pt", "--data", "{tmp}", "--threshold", "0.3"],
            "threshold '0.3' does not exist",
        ),
        (
            ["prepare", "fitzpatrick17k", "--csv", "{tmp}/no.csv", "--images", "{tmp}", "--seed", "-1"],
            "seed -1 is out of range",
        ),
        (["study", "ham10000", "--data", "{tmp}", "--resamples", "0"], "resamples 0 is out of range"),
        (["fairness", "--model", "a=x.pt", "--model", "a=y.pt", "--data", "{tmp}"], "are named 'a'"),
        (["prepare", "fitzpatrick17k", "--csv", "{tmp}/no.csv", "--images", "{tmp}"], "cannot be read"),
        (["document", "--file", "{tmp}/none.md"], "cannot be read"),
    ],
)
def test_wrong_arguments_are_named_and_exit_with_2(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [argument.replace("{tmp}", str(tmp_path)) for argument in arguments]
    assert main([*command, "--json"]) == 2
    printed = capsys.readouterr()
    assert message in json.loads(printed.out.splitlines()[-1])["text"]
    assert message in printed.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--output", "{tmp}/file"], "file cannot be written"),
        (["--output", "{tmp}/run", "--export", "{tmp}/file/classifier.pth"], "file cannot be written"),
        (["--output", "{tmp}/run", "--export", "{tmp}"], "is a folder"),
    ],
)
def test_an_unwritable_result_is_reported_before_the_training(
    options: list[str], message: str, ham10000: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("a file")
    data = ["--data", str(ham10000), "--split", str(tmp_path / "split.csv"), "--no-imagenet", "--device", "cpu"]
    assert main(["train", *data, *(option.replace("{tmp}", str(tmp_path)) for option in options)]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run" / "job.json").exists()


def test_damaged_images_stop_neither_training_nor_evaluation_nor_audit_and_are_named_at_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_ham10000(tmp_path / "data")
    damaged = ["ISIC_0000.jpg", "ISIC_0051.jpg", "ISIC_0102.jpg"]
    for name in damaged:
        (folder / "images" / name).write_bytes(b"")
    folders = ["--output", str(tmp_path / "run"), "--split", str(tmp_path / "split.csv"), "--cache", str(tmp_path)]
    machine = ["--no-imagenet", "--device", "cpu", "--precision", "fp32", "--workers", "0", "--size", "40"]
    assert main(["train", "--data", str(folder), "--epochs", "1", *folders, *machine]) == 0
    sentence = f"3 images cannot be read and are left out: {', '.join(damaged)}."
    assert sentence in capsys.readouterr().out
    asked = ["--data", str(folder), "--split", str(tmp_path / "split.csv"), "--cache", str(tmp_path), "--device", "cpu"]
    asked += ["--resamples", "20", "--part", "test"]
    fair = ["--output", str(tmp_path / "fair")]
    half = ["--threshold", "half"]  # the few validation images that can be read all have one outcome
    file = tmp_path / "run" / "best.pt"
    with (tmp_path / "split.csv").open(newline="") as stream:
        part_of = {row["image_id"]: row["part"] for row in csv.DictReader(stream)}
    damaged = [next(name for name, part in part_of.items() if part == wanted) for wanted in ("test", "validation")]
    for name in damaged:
        (folder / "images" / f"{name}.jpg").write_bytes(b"")
    for command in (
        ["evaluate", "--checkpoint", str(file), *asked, *half],
        ["fairness", "--model", f"a={file}", "--groups", "sex,skin_tone", *asked, *half, *fair],
        ["fidelity", "--checkpoint", str(file), "--images", "2", "--ig-steps", "2", *asked, "--show", damaged[0]],
    ):
        assert main(command) == 0
        written = capsys.readouterr().out
        assert "cannot be read and are left out" in written
        assert all(f"{name}.jpg" in written for name in damaged)


def test_an_export_that_cannot_be_written_exits_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "classifier.pth").mkdir()
    best = write_classifier(tmp_path / "best.pt", size=224)
    assert main(["export", "--checkpoint", str(best), "--output", str(tmp_path / "classifier.pth")]) == 1
    assert "classifier.pth cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["train"], ["train", "--data", "x", "--size", "big"], ["fairness", "--model", "x"]]
)
def test_arguments_that_cannot_be_read_exit_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2


@pytest.mark.parametrize(
    ("command", "option", "former", "field", "value"),
    [
        (["train", "--data", "x"], "--epochs", "--passes", "epochs", (4, 2)),
        (["finetune", "--data", "x", "--from", "y"], "--epochs", "--passes", "epochs", (4, 2)),
        (["study", "ham10000", "--data", "x"], "--epochs", "--passes", "epochs", (4, 2)),
        (["study", "fairness", "--data", "x"], "--finetune-epochs", "--finetune-passes", "finetune_epochs", 4),
    ],
)
def test_former_option_names_still_work_but_are_not_documented(
    command: list[str], option: str, former: str, field: str, value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "4,2" if isinstance(value, tuple) else "4"
    for name in (option, former):
        assert vars(build_parser().parse_args([*command, name, text]))[field] == value
    with pytest.raises(SystemExit):
        main([command[0], "--help"])
    printed = capsys.readouterr().out
    assert option in printed
    assert former not in printed


def test_ctrl_c_exits_with_130(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from classification.evaluation import runner as module

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "evaluate", interrupted)
    assert main(["evaluate", "--checkpoint", "x", "--data", str(tmp_path)]) == 130
    assert "--resume" in capsys.readouterr().err


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, ham10000: Path, fitzpatrick: Path, cache: Path) -> StudyJob:
    return StudyJob(
        ham10000,
        tmp_path_factory.mktemp("study"),
        fitzpatrick,
        fitzpatrick.parent / "images",
        backbones=("resnet18",),
        sizes=(32,),
        epochs=(1,),
        finetune_epochs=1,
        batch_size=28,
        imagenet=False,
        resamples=60,
        device="cpu",
        cache=cache,
    )


def test_one_command_runs_every_training_of_a_table_and_fills_the_document(study: StudyJob, tmp_path: Path) -> None:
    study_ham10000(study)
    study_fairness(study)
    runs = study.runs
    first = (runs / "resnet18_isic7_seed0" / STATE).stat().st_mtime_ns
    study_ham10000(study)  # finished runs are kept
    assert (runs / "resnet18_isic7_seed0" / STATE).stat().st_mtime_ns == first
    short = shutil.copytree(runs / "resnet18_isic7_seed0", runs / "short" / "resnet18_isic7_seed0")
    document = tmp_path / "classification.md"
    names = ("ham10000", "skin_type", "ham10000_groups", "gaps", "fidelity")
    document.write_text(
        "Text.\n" + "".join(f"<!-- begin {n} -->\nnot yet\n<!-- end {n} -->\nAfter {n}.\n" for n in names)
    )
    fill_document(document, runs)
    filled = document.read_text()
    assert filled.count("not yet") == 1  # fidelity was not measured
    metrics = json.loads((runs / "resnet18_isic7_seed0" / "evaluation" / "metrics.json").read_text())
    assert f"{metrics['binary']['auc']['value']:.3f}" in filled
    rows = [line for line in filled.splitlines() if line.startswith("| resnet18")]
    assert [row.split(" | ")[1] for row in rows] == ["isic7", "isic7", "binary (melanoma)"]
    assert all("| random | 1 at 32 px |" in row for row in rows)
    types = [line for line in filled.splitlines() if line.startswith("| skin type | VI ")]
    assert [line.split(" | ")[2] for line in types][:3] == ["before", "after", "reweighted"]
    assert "too few" in "".join(types)
    assert "After gaps." in filled
    former = short / "evaluation" / "metrics.json"  # as earlier versions wrote it
    former.write_text(former.read_text().replace('"epochs"', '"passes"').replace('"initial_weights"', '"beginning"'))
    fill_document(document, runs)
    assert document.read_text() == filled
    shutil.rmtree(short.parent)  # other tests share the runs


def test_a_named_classifier_is_audited_instead_of_a_newly_trained_one(
    study: StudyJob, trained_run: Path, tmp_path: Path
) -> None:
    """It has seven classes: its answers are sums over classes, and fine-tuning adds a new head."""
    study_fairness(replace(study, runs=tmp_path, before=trained_run / BEST, seeds=(0, 1), backbones=("resnet34",)))
    (found,) = tmp_path.glob("fairness_*")
    assert found.name == f"fairness_malignant_{trained_run.name}"
    result = json.loads((found / "fitzpatrick17k" / "fairness.json").read_text())
    series = result["classifiers"]
    assert [series[name]["task"] for name in ("before", "after")] == ["isic7", "binary (malignant)"]
    assert json.loads((found / "ham10000" / "fairness.json").read_text())["classifiers"]["HAM10000"]["task"] == "isic7"
    assert not list(tmp_path.glob("resnet34*"))


def test_a_study_without_its_data_or_a_document_without_markers_is_named(study: StudyJob, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="--csv and --images"):
        study_fairness(StudyJob(study.data, tmp_path))
    (tmp_path / "plain.md").write_text("nothing")
    with pytest.raises(ArgumentError, match="no marker"):
        fill_document(tmp_path / "plain.md", tmp_path)


def test_the_document_of_the_project_has_markers_for_every_table() -> None:
    text = (PROJECT_ROOT / "docs" / "measurements" / "classification.md").read_text()
    for name in ("ham10000", "skin_type", "ham10000_groups", "gaps", "fidelity"):
        assert f"<!-- begin {name} -->" in text
        assert f"<!-- end {name} -->" in text


def test_classes_without_an_image_in_the_evaluated_part_are_refused(
    trained_run: Path, ham10000: Path, cache: Path
) -> None:
    job = EvaluationJob(trained_run / BEST, ham10000, trained_run / "x", part="validation", device="cpu", cache=cache)
    lines = (trained_run / "split.csv").read_text().splitlines()
    kept = [line for line in lines if ",DF,validation" not in line]
    moved = [line.replace("validation", "training") for line in lines if ",DF,validation" in line]
    split = trained_run.parent / "without_df.csv"
    split.write_text("\n".join([*kept, *moved]))
    with pytest.raises(ArgumentError, match="validation part.*'DF'"):
        evaluate(EvaluationJob(**{**vars(job), "split": split}))
