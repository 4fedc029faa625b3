"""Download, verify or unpack checkpoints: ``python download_models.py --help``."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from core.classes import CLASSES
from core.errors import ArgumentError, DownloadError
from core.io.plain_text import printable
from core.packages import what_to_start_instead
from core.paths import CHECKPOINTS
from core.process.exit_codes import DONE, FAILED, run_command
from core.process.streams import lasting_streams

if TYPE_CHECKING:
    from tqdm import tqdm

    from core.download.events import Progress
    from core.generation.events import Event

_PROGRESS_EVERY_S: Final = 0.5
_EPILOG: Final = """\
sources: a name from core/model_sources.json, https://.../models.zip, https://.../manifest.json, gdrive:ID,
hf:owner/repo[@revision], or a folder or zip on this computer. Intact files are not downloaded again; an interrupted
download resumes where it stopped. HTTPS_PROXY, REQUESTS_CA_BUNDLE and HF_HUB_OFFLINE are used.
exit codes: 0 done, 1 failed (received bytes are kept), 2 wrong arguments, 130 interrupted."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    with lasting_streams():
        options = _parser().parse_args(arguments)
        return run_command(
            lambda: _run(options),
            as_json=options.json,
            when_interrupted="\nInterrupted. Run the same command again to resume.",
            result_is_output=options.list or options.verify,
        )


def _run(options: argparse.Namespace) -> int:
    try:
        _show_all(_events(options), _JsonLines() if options.json else _Terminal())
    except OSError as error:
        raise DownloadError(f"A file could not be read or written ({error}); the received bytes are kept.") from error
    except ModuleNotFoundError as error:
        print(f"error: {what_to_start_instead(error, 'download_models.py')}", file=sys.stderr)
        return FAILED
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="download_models.py",
        description="Fill the checkpoints folder with trained models.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--source", help="source of the models (default: the published archive)")
    what.add_argument("--demo", action="store_true", help="unpack the bundled demonstration models; needs no network")
    what.add_argument("--verify", action="store_true", help="check the files in the folder: checksums and content")
    what.add_argument("--list", action="store_true", help="list the files in the folder and the sources with a name")
    parser.add_argument(
        "--classes", nargs="+", default=[], metavar="CLASS", help=f"download only these classes: {', '.join(CLASSES)}"
    )
    parser.add_argument(
        "--dest", type=Path, default=CHECKPOINTS, metavar="DIR", help="checkpoints folder (default: %(default)s)"
    )
    parser.add_argument(
        "--force", action="store_true", help="download intact files again, and replace files from other sources"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per line on stdout")
    return parser


def _events(options: argparse.Namespace) -> Generator[Event, None, None]:
    from core import download

    classes = _classes(options.classes)
    if options.list:
        return _listing(options.dest, classes)
    if options.verify:
        return _verify(options.dest, classes)
    if options.demo:
        if classes:
            raise ArgumentError("--demo unpacks the whole bundled set; leave out --classes.")
        return download.unpack_demo(options.dest, force=options.force)
    job = download.DownloadJob(download.parse_source(options.source), options.dest, classes, options.force)
    return download.fetch_models(job)


def _listing(folder: Path, classes: tuple[str, ...]) -> Generator[Event, None, None]:
    from core import download
    from core.generation.events import Notice

    yield from download.folder_status(folder, classes or CLASSES, thorough=False)
    for source in download.known_sources():
        yield Notice(f"Source {source.name}: {source.location}, {source.about}.")


def _classes(words: Iterable[str]) -> tuple[str, ...]:
    names = [name.upper() for word in words for name in re.split(r"[,\s]+", word) if name]
    for name in names:
        if name not in CLASSES:
            raise ArgumentError(f"There is no class {name}; the classes are {', '.join(CLASSES)}.")
    return tuple(name for name in CLASSES if name in names)


def _show_all(events: Generator[Event, None, None], view: _JsonLines | _Terminal) -> None:
    with closing(view), closing(events):  # closing keeps the received bytes and releases the lock
        for event in events:
            view.show(event)


def _verify(folder: Path, classes: tuple[str, ...]) -> Generator[Event, None, None]:
    """Yield the state of every file. Then raise an error if a file is damaged or a requested file is missing."""
    from core import download

    found = []
    for status in download.folder_status(folder, classes or CLASSES, thorough=True):
        found.append(status)
        yield status
    if damaged := [status.name for status in found if status.state == "damaged"]:
        raise DownloadError(f"{', '.join(damaged)} in {folder} cannot be trusted; download again without --verify.")
    missing = [status.name for status in found if status.state == "missing"]
    if (classes and missing) or len(missing) == len(found):
        raise DownloadError(f"{', '.join(missing)} is not in {folder}; run download_models.py without --verify.")


class _JsonLines:
    """Print every event as one line of JSON on stdout, but progress and waiting at most twice a second."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def show(self, event: Event) -> None:
        """Print one event."""
        content = event.to_json()
        now = time.monotonic()
        if content["event"] in {"progress", "waiting"} and content.get("done") != content.get("total", ""):
            if now - self._last.get(content["event"], 0.0) < _PROGRESS_EVERY_S:
                return
            self._last[content["event"]] = now
        print(json.dumps(content), flush=True)

    def close(self) -> None:
        """Do nothing: no resource is open."""


class _Terminal:
    """Show a progress bar per file on stderr, with speed and remaining time, and one line per result on stdout."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None
        self._key: tuple[str, str] | None = None
        self._waiting = ""

    def show(self, event: Event) -> None:
        """Show one event."""
        from core.download import events

        if isinstance(event, events.Progress):
            self._advance(event)
        elif isinstance(event, events.Waiting):
            self._say_once(f"{event.name}: {event.reason}; trying again in {event.seconds:.0f} s.")
        elif isinstance(event, events.DownloadResumed):
            self._say(f"{event.name}: resuming after {event.done / 1e6:.1f} MB.", sys.stderr)
        elif line := _line(event):
            self._say(line, sys.stdout)

    def close(self) -> None:
        """Release the terminal line."""
        if self._bar is not None:
            self._bar.close()
        self._bar = self._key = None

    def _advance(self, event: Progress) -> None:
        from tqdm import tqdm

        if self._bar is None or self._key != (event.name, event.stage):
            self.close()
            self._key, self._waiting = (event.name, event.stage), ""
            what = f"{event.stage} {event.name}"
            self._bar = tqdm(
                total=event.total, initial=event.done, desc=what, unit="B", unit_scale=True, dynamic_ncols=True
            )
        self._bar.update(event.done - self._bar.n)  # negative if a file has to start again
        if event.done == event.total:
            self.close()  # the clock of the bar must not run while the file is checked

    def _say_once(self, text: str) -> None:
        reason = text.rpartition(";")[0]
        if reason != self._waiting:
            self._waiting = reason
            self._say(text, sys.stderr)

    def _say(self, text: str, stream: TextIO) -> None:
        self.close()
        print(printable(text), file=stream, flush=True)


def _line(event: Event) -> str:
    """Return a line of text for an event; an empty text if the event needs no line."""
    from core.download import events
    from core.generation.events import Notice

    if isinstance(event, events.Planned):
        size = f", {event.bytes / 1e6:,.0f} MB" if event.bytes is not None else ""
        return f"Downloading {len(event.names)} files from {event.source} into {event.folder}{size}."
    if isinstance(event, events.Installed):
        return f"{event.name}: installed ({event.bytes / 1e6:.1f} MB, sha256 {event.sha256[:12]}…)."
    if isinstance(event, (events.Kept, events.Skipped)):
        verb = "kept" if isinstance(event, events.Kept) else "ignored"
        return f"{event.name}: {verb}, {event.reason}."
    if isinstance(event, events.FileStatus):
        facts = [f"{event.bytes / 1e6:.1f} MB" if event.bytes else "", event.source, event.reason]
        return f"{event.name}: {event.state}  {', '.join(fact for fact in facts if fact)}".rstrip()
    if isinstance(event, events.DownloadFinished):
        return f"Done: {event.installed} files downloaded, {event.kept} kept in {event.folder}."
    return event.text if isinstance(event, Notice) else ""


if __name__ == "__main__":
    sys.exit(main())
