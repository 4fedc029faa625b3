"""Hugging Face: huggingface_hub lists a repository and provides addresses, the login and its cache.

The files are transferred like those of any other source, with the same progress, cancellation and checks.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import huggingface_hub
from huggingface_hub import errors as hub_errors
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile

from core.download.fetch import Network, Wanted, fetch
from core.download.http import OTHER_WAYS, is_offline, refuse_offline
from core.download.local import FolderSource
from core.download.manifest import is_manifest
from core.download.offers import Item
from core.errors import DownloadError
from core.generation.events import Event
from core.io.file_names import is_plain_name


@dataclass(frozen=True)
class HubSource:
    """A model repository on Hugging Face, at a branch, tag or commit."""

    repository: str
    revision: str = "main"

    @property
    def label(self) -> str:
        """Return ``hf:`` and the repository, with the revision unless it is the main branch."""
        return f"hf:{self.repository}" + ("" if self.revision == "main" else f"@{self.revision}")

    def offer(self, staging: Path, network: Network) -> Generator[Event, None, list[Item]]:
        """List the files of the repository with sizes and checksums; offline, list the files in the local cache."""
        if is_offline():
            return (yield from FolderSource(self._cached()).offer(staging, network))
        commit, files = self._list(network.hub_url)
        named = {PurePosixPath(file.path).name: file for file in files}
        return [
            self._item(name, file, commit, network)
            for name, file in sorted(named.items())
            if is_plain_name(name) and not is_manifest(name)
        ]

    def _cached(self) -> Path:
        try:
            found = huggingface_hub.snapshot_download(self.repository, revision=self.revision, local_files_only=True)
        except LocalEntryNotFoundError:
            refuse_offline(self.label)
            raise
        return Path(found)

    def _list(self, hub_url: str | None) -> tuple[str, list[RepoFile]]:
        """Return the current commit of the revision and its files, so that all files belong to one commit."""
        api = huggingface_hub.HfApi(endpoint=hub_url)
        try:
            commit = api.model_info(self.repository, revision=self.revision).sha or self.revision
            tree = api.list_repo_tree(self.repository, recursive=True, revision=commit)
            return commit, [file for file in tree if isinstance(file, RepoFile)]
        except (RepositoryNotFoundError, GatedRepoError, RevisionNotFoundError, HFValidationError) as error:
            raise DownloadError(
                f"{self.label} does not exist, or this account has no access (see `hf auth login`); check the name."
            ) from error
        except hub_errors.HTTPError as error:  # type: ignore[attr-defined]  # from httpx or httpx2, depending on the version
            reason = str(error).strip().partition("\n")[0]
            raise DownloadError(
                f"Hugging Face did not list {self.label} ({reason}); try again, or {OTHER_WAYS}."
            ) from error

    def _item(self, name: str, file: RepoFile, commit: str, network: Network) -> Item:
        url = huggingface_hub.hf_hub_url(self.repository, file.path, revision=commit, endpoint=network.hub_url)
        token = huggingface_hub.get_token()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        sha256 = file.lfs.sha256 if file.lfs else None
        wanted = Wanted(name, f"{self.label}/{commit}/{file.path}", lambda _: url, file.size, sha256, headers)
        return Item(name, file.size, sha256, lambda target: fetch(wanted, target, network))
