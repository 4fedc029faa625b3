"""Which files are downloaded, which are kept, and which are never installed."""

import hashlib
import json
import os
import shutil
from contextlib import closing

import filelock
import pytest

from core.classes import CLASSES
from core.download import fetch_models
from core.download.events import DownloadFinished, Installed, Kept, Planned, Progress, Skipped
from core.errors import ArgumentError, DownloadError
from core.generation.events import Notice
from tests.core.download.examples import contents, job_of, manifest_of, run, zip_of
from tests.core.download.server import Reply


@pytest.fixture
def source(server, models):
    server.files["/m.zip"] = zip_of(models)
    return f"{server.url}/m.zip"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "models with a space and ü"


def of(kind, events):
    return [event.name for event in events if isinstance(event, kind)]


def test_a_second_run_asks_nobody(server, source, models, folder, monkeypatch):
    first = run(source, folder)
    assert sorted(of(Installed, first)) == sorted(models)
    assert isinstance(first[-1], DownloadFinished)
    asked = len(server.requests)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    second = run(source, folder)
    assert len(server.requests) == asked
    assert sorted(of(Kept, second)) == sorted(models)
    assert second[-1] == DownloadFinished(folder, 0, 3)


def test_the_manifest_records_name_bytes_sha256_and_source(source, models, folder):
    run(source, folder)
    written = json.loads((folder / "manifest.json").read_text())
    assert {entry["name"]: entry["bytes"] for entry in written["files"]} == {n: len(d) for n, d in models.items()}
    assert all(set(entry) == {"name", "bytes", "sha256", "source"} for entry in written["files"])
    assert {entry["source"] for entry in written["files"]} == {source}


def test_a_damaged_file_is_downloaded_again(source, models, folder):
    run(source, folder)
    (folder / "unet_DF_best.pth").write_bytes(models["unet_DF_best.pth"][:-1])
    again = run(source, folder)
    assert of(Installed, again) == ["unet_DF_best.pth"]
    assert contents(folder) == models


def test_a_changed_file_that_opens_is_kept_beside(source, models, newer_models, folder):
    run(source, folder)
    mine = newer_models["unet_DF_best.pth"]
    (folder / "unet_DF_best.pth").write_bytes(mine)
    again = run(source, folder)
    assert any(isinstance(event, Notice) and ".bak" in event.text for event in again)
    assert contents(folder) == {**models, "unet_DF_best.pth.bak": mine}


def test_what_was_set_aside_before_stays(source, models, newer_models, folder):
    run(source, folder)
    kept = {
        "unet_DF_best.pth.bak": newer_models["unet_DF_best.pth"],
        "unet_DF_best.pth.2.bak": models["unet_MEL_best.pth"],
    }
    for name, mine in kept.items():
        (folder / "unet_DF_best.pth").write_bytes(mine)
        again = run(source, folder)
        assert [event.text for event in again if isinstance(event, Notice) and event.text.endswith(f" {name}.")]
    assert contents(folder) == {**models, **kept}


def test_the_users_own_model_is_kept_unless_forced(source, models, newer_models, folder):
    folder.mkdir()
    mine = newer_models["unet_DF_best.pth"]
    (folder / "unet_DF_best.pth").write_bytes(mine)
    events = run(source, folder)
    assert contents(folder) == {**models, "unet_DF_best.pth": mine}
    assert any(isinstance(event, Kept) and "--force" in event.reason for event in events)
    run(source, folder, force=True)
    assert contents(folder) == models


def test_an_own_file_that_does_not_open_is_replaced(source, models, folder):
    folder.mkdir()
    (folder / "unet_DF_best.pth").write_bytes(b"<html>quota</html>")
    run(source, folder)
    assert contents(folder) == models


def test_models_of_another_download_give_way(server, source, models, newer_models, folder):
    run(source, folder)
    server.files["/new.zip"] = zip_of(newer_models)
    run(f"{server.url}/new.zip", folder)
    assert contents(folder) == newer_models


def test_only_the_classes_asked_for_and_what_comes_with_them(server, source, models, folder):
    run(source, folder, "DF")
    assert set(contents(folder)) == {"unet_DF_best.pth", "color_statistics.json"}
    asked = len(server.requests)
    run(source, folder, "DF")
    assert len(server.requests) == asked
    run(source, folder)
    assert contents(folder) == models


def test_a_class_that_the_source_lacks(source, folder):
    with pytest.raises(DownloadError, match=r"no checkpoint .* of VASC; it has MEL, DF"):
        run(source, folder, "DF", "VASC")
    assert contents(folder) == {}


@pytest.mark.parametrize("how", ["manifest", "folder", "zip"])
def test_other_sources(server, models, folder, tmp_path, how):
    if how == "manifest":
        server.files = {f"/set/{name}": data for name, data in models.items()}
        server.files["/set/manifest.json"] = manifest_of(models)
        source = f"{server.url}/set/manifest.json?token=secret"
    elif how == "folder":
        source = str(tmp_path / "stick")
        (tmp_path / "stick").mkdir()
        for name, data in {**models, "manifest.json": manifest_of(models)}.items():
            (tmp_path / "stick" / name).write_bytes(data)
    else:
        source = str(tmp_path / "m.zip")
        (tmp_path / "m.zip").write_bytes(zip_of({**models, "manifest.json": manifest_of(models)}))
    events = run(source, folder)
    plan = next(event for event in events if isinstance(event, Planned))
    assert plan.bytes == sum(map(len, models.values()))
    assert contents(folder) == models
    assert "secret" not in (folder / "manifest.json").read_text()
    assert of(Installed, run(source, folder)) == []


def test_a_local_copy_that_differs_from_its_manifest(models, folder, tmp_path):
    stick = tmp_path / "stick"
    stick.mkdir()
    for name, data in {**models, "manifest.json": manifest_of(models)}.items():
        (stick / name).write_bytes(data)
    data = bytearray(models["unet_DF_best.pth"])
    data[len(data) // 2] ^= 1
    (stick / "unet_DF_best.pth").write_bytes(data)
    with pytest.raises(DownloadError, match=r"unet_DF_best\.pth is not the announced file"):
        run(str(stick), folder)
    assert "unet_DF_best.pth" not in contents(folder)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"PK\x03\x04 nonsense", "damaged"), (b"<html><body>", "web page"), (b"\x80\x02cos\nsystem\n.", "refused")],
)
def test_a_file_that_is_not_a_unet_is_never_installed(server, models, folder, content, words):
    server.files["/m.zip"] = zip_of({**models, "unet_NV_best.pth": content})
    with pytest.raises(DownloadError, match=f"(?s)a file that is not a model.*unet_NV_best.pth.*{words}"):
        run(f"{server.url}/m.zip", folder)
    assert "unet_NV_best.pth" not in contents(folder)


def test_what_has_no_place_in_the_folder_is_left_out(server, models, folder):
    strangers = {"setup.exe": b"MZ", "unet_XYZ_best.pth": b"x", "README.md": b"Read me."}
    server.files["/m.zip"] = zip_of({**models, **strangers})
    events = run(f"{server.url}/m.zip", folder)
    assert sorted(of(Skipped, events)) == ["setup.exe", "unet_XYZ_best.pth"]
    assert set(contents(folder)) == {*models, "README.md"}


def test_an_archive_without_models_is_deleted(server, models, folder):
    server.files["/m.zip"] = zip_of({"a.txt": b"a"})
    with pytest.raises(DownloadError, match="check that it is the right archive"):
        run(f"{server.url}/m.zip", folder)
    server.files["/m.zip"] = zip_of(models)
    run(f"{server.url}/m.zip", folder)
    assert contents(folder) == models


def test_an_archive_damaged_inside_is_deleted_and_downloaded_again(server, models, folder):
    whole = zip_of(models)
    broken = bytearray(whole)
    broken[whole.index(b"PK\x05\x06") // 2] ^= 1
    server.files["/m.zip"] = bytes(broken)
    with pytest.raises(DownloadError, match="damaged"):
        run(f"{server.url}/m.zip", folder)
    server.files["/m.zip"] = whole
    run(f"{server.url}/m.zip", folder)
    assert contents(folder) == models


@pytest.mark.parametrize("name", ["../unet_MEL_best.pth", "/etc/passwd", "a/b.pth", "", "..", "C:evil", "a\x00b", 7])
def test_a_manifest_that_names_files_elsewhere(server, folder, name):
    server.files["/manifest.json"] = json.dumps({"files": [{"name": name, "bytes": 1}]}).encode()
    with pytest.raises(DownloadError, match="plain file names"):
        run(f"{server.url}/manifest.json", folder)


@pytest.mark.parametrize("content", [b"[1, 2]", b'"x"', b'{"files": [{"name": "a.pth", "bytes": -1}]}', b"not json"])
def test_a_manifest_that_is_none(server, folder, content):
    server.files["/manifest.json"] = content
    with pytest.raises(DownloadError):
        run(f"{server.url}/manifest.json", folder)


def test_a_manifest_that_leads_to_plain_http(server, folder):
    entry = {"name": "unet_MEL_best.pth", "url": "http://models.invalid/x"}
    server.files["/manifest.json"] = json.dumps([entry]).encode()
    with pytest.raises(DownloadError, match="without https"):
        run(f"{server.url}/manifest.json", folder)


def test_offline_mode_is_one_sentence(source, server, folder, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DownloadError, match=r"HF_HUB_OFFLINE is set.*--demo"):
        run(source, folder)
    assert server.requests == []


def test_stopping_at_any_event_leaves_a_state_to_go_on_from(server, source, models, folder):
    steps = 1
    while True:
        with closing(fetch_models(job_of(source, folder))) as events:
            taken = [event for event, _ in zip(events, range(steps), strict=False)]
        assert all(data == models[name] for name, data in contents(folder).items())
        if isinstance(taken[-1], DownloadFinished):
            break
        steps = steps * 2 + 1
    assert contents(folder) == models
    assert any("Range" in headers for _, headers in server.requests)


def test_two_downloads_into_one_folder(source, folder):
    folder.mkdir()
    with filelock.FileLock(folder / ".download.lock"), pytest.raises(DownloadError, match="Another download"):
        run(source, folder)


def test_folders_that_cannot_be_used(source, folder, models):
    folder.parent.joinpath("file").write_text("x")
    with pytest.raises(ArgumentError, match="cannot be written"):
        run(source, folder.parent / "file" / "models")
    folder.mkdir()
    (folder / "unet_MEL_best.pth").write_bytes(models["unet_MEL_best.pth"])
    with pytest.raises(ArgumentError, match="both the source and the destination"):
        run(str(folder), folder)


def test_room_for_unpacking_is_looked_at_before(source, folder, monkeypatch):
    usage = shutil.disk_usage(folder.parent)
    free = iter([usage.free, 1000])
    monkeypatch.setattr("core.download.disk_space.shutil.disk_usage", lambda _: usage._replace(free=next(free)))
    with pytest.raises(DownloadError, match="MB are needed"):
        run(source, folder)
    assert contents(folder) == {}


def test_a_damaged_manifest_is_rebuilt_and_unknown_keys_are_kept(source, models, folder):
    folder.mkdir()
    (folder / "manifest.json").write_text("{half")
    run(source, folder)
    content = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**content, "curator": "me"}))
    run(source, folder, force=True)
    assert json.loads((folder / "manifest.json").read_text())["curator"] == "me"


def test_a_page_in_place_of_the_archive_writes_nothing(server, source, folder):
    server.replies = [Reply(200, b"<html><title>Sign in</title>", {"Content-Type": "application/zip"})]
    with pytest.raises(DownloadError, match=r'"Sign in".*24 hours'):
        run(source, folder)
    assert contents(folder) == {}


def test_events_are_plain_json(source, folder):
    for event in run(source, folder):
        json.dumps(event.to_json())
        if isinstance(event, Progress):
            assert 0 <= event.done <= event.total


def test_every_class_has_its_file_name():
    from core.download.content import class_of

    assert [class_of(f"unet_{name}_best.pth") for name in CLASSES] == list(CLASSES)
    assert class_of("classifier.pth") is None


@pytest.mark.skipif(os.name == "nt", reason="making links needs rights that tests may not have")
@pytest.mark.parametrize("where", ["file", "part", "staging", "hidden"])
@pytest.mark.parametrize("how", ["manifest", "zip"])
def test_no_link_under_a_temporary_name_is_followed(server, models, tmp_path, how, where):
    if how == "manifest":
        server.files = {f"/{name}": data for name, data in {**models, "manifest.json": manifest_of(models)}.items()}
        source = f"{server.url}/manifest.json"
    else:
        (tmp_path / "m.zip").write_bytes(zip_of(models))
        source = str(tmp_path / "m.zip")
    victims = tmp_path / "victims"
    victims.mkdir()
    for name, data in models.items():
        (victims / name).write_bytes(data)
    folder = tmp_path / "ck"
    staging = folder / ".download" / hashlib.sha256(source.encode()).hexdigest()[:12]
    link = {"staging": staging, "hidden": staging.parent}.get(where)
    if link is None:
        staging.mkdir(parents=True)
        for name in models:
            (staging / (name + (".part" if where == "part" else ""))).symlink_to(victims / name)
    else:
        link.parent.mkdir(parents=True)
        link.symlink_to(victims, target_is_directory=True)
    run(source, folder)
    assert contents(folder) == models
    assert not any(path.is_symlink() for path in folder.iterdir())
    assert contents(victims) == models
    assert len(list(victims.iterdir())) == len(models)
