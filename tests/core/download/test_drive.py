"""Google Drive, as far as a server on this computer can play it."""

import pytest

from core.errors import ArgumentError, DownloadError
from tests.core.download.examples import contents, job_of, run, zip_of
from tests.core.download.server import Reply

ID = "1kTIHp98AuvLmee5LahH-hZQqXQik_B1U"
WARNING = """<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head><body>
<p class="uc-warning-caption">Google Drive can't scan this file for viruses.</p>
<form id="download-form" action="{action}" method="get"><input type="submit" value="Download anyway"/>
<input type="hidden" name="id" value="{id}"><input type="hidden" name="export" value="download">
<input type="hidden" name="confirm" value="t"><input type="hidden" name="uuid" value="{uuid}"></form></body></html>"""
QUOTA = b"""<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head><body>
<p class="uc-error-caption">Sorry, you can't view or download this file at this time.</p>
<p class="uc-error-subcaption">Too many users have viewed or downloaded this file recently.</p></body></html>"""
DENIED = b'<html><head><title>Google Drive</title></head><p class="uc-error-subcaption">Access denied.</p></html>'


@pytest.fixture
def drive(server, models):
    """A warning page first, with another uuid each time; the file behind it."""
    asked = []

    def page(path):
        asked.append(path)
        action = f"{server.url}/download"
        body = WARNING.format(action=action, id=ID, uuid=f"u-{len(asked)}").encode()
        return Reply(200, body, {"Content-Type": "text/html; charset=utf-8"})

    server.special["/uc"] = page
    server.files["/download"] = zip_of(models)
    server.asked = asked
    return server


def fetched(drive, folder):
    return run(f"gdrive:{ID}", folder, drive_url=f"{drive.url}/uc")


def test_past_the_confirmation_page(drive, models, tmp_path):
    fetched(drive, tmp_path)
    assert contents(tmp_path) == models
    assert drive.asked == [f"/uc?export=download&id={ID}"]
    assert drive.requests[-1][0] == f"/download?id={ID}&export=download&confirm=t&uuid=u-1"


def test_a_small_file_comes_without_a_page(drive, models, tmp_path):
    drive.files["/uc"] = drive.files["/download"]
    del drive.special["/uc"]
    fetched(drive, tmp_path)
    assert contents(tmp_path) == models


@pytest.mark.parametrize("ranges", [True, False])
def test_resumes_with_a_new_confirmation(drive, models, tmp_path, ranges):
    drive.ranges, drive.validator, drive.drops = ranges, "date", [90_000, 90_000]
    fetched(drive, tmp_path)
    assert contents(tmp_path) == models
    assert len(drive.asked) == 3
    assert drive.requests[-1][0].endswith("uuid=u-3")
    assert drive.requests[-1][1]["Range"].startswith("bytes=")


@pytest.mark.parametrize("where", ["/uc", "/download"])
def test_the_quota_page(drive, tmp_path, where):
    drive.special[where] = lambda _: Reply(200, QUOTA, {"Content-Type": "text/html"})
    with pytest.raises(DownloadError, match=r"(?i)quota.*24 hours.*--source.*--demo"):
        fetched(drive, tmp_path)
    assert contents(tmp_path) == {}


def test_a_file_that_is_not_public(drive, tmp_path):
    drive.special["/uc"] = lambda _: Reply(200, DENIED, {"Content-Type": "text/html"})
    with pytest.raises(DownloadError, match=r"Access denied.*--demo"):
        fetched(drive, tmp_path)
    login = b"<html><a href='https://accounts.google.com/ServiceLogin'>Sign in</a></html>"
    drive.special["/uc"] = lambda _: Reply(200, login, {"Content-Type": "text/html"})
    with pytest.raises(DownloadError, match="requires a login"):
        fetched(drive, tmp_path)


def test_a_page_behind_the_page_and_one_that_leads_astray(drive, tmp_path):
    drive.special["/download"] = drive.special["/uc"]
    with pytest.raises(DownloadError, match="Virus scan warning"):
        fetched(drive, tmp_path)
    astray = WARNING.format(action="http://elsewhere.invalid/x", id=ID, uuid="u").encode()
    drive.special["/uc"] = lambda _: Reply(200, astray, {"Content-Type": "text/html"})
    with pytest.raises(DownloadError, match=r"unencrypted address on elsewhere\.invalid"):
        fetched(drive, tmp_path)


def test_an_id_that_is_none(tmp_path):
    with pytest.raises(ArgumentError, match="not a Google Drive file id"):
        job_of("gdrive:../x", tmp_path)
