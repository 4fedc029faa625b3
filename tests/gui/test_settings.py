from __future__ import annotations

from dataclasses import replace

import pytest
from PyQt5.QtCore import QSettings

from core.errors import ArgumentError
from gui.settings import Settings, load_settings, save_settings


def test_every_value_is_restored(store: QSettings) -> None:
    changed = replace(Settings(), steps=7, xai_mode=True, speeds={"cpu/fp32": 0.5}, last_job={"a": [1]}, theme="dark")
    save_settings(store, changed)
    assert load_settings(QSettings(store.fileName(), QSettings.IniFormat)) == changed


def test_damaged_values_are_replaced_by_defaults(store: QSettings) -> None:
    for name, text in (("steps", '"many"'), ("chosen", "{"), ("xai_mode", "1"), ("output", "")):
        store.setValue(f"settings/{name}", text)
    assert load_settings(store) == Settings()


def test_describe_a_job() -> None:
    job = replace(Settings(), chosen=["NV", "MEL"], quantities={"MEL": 3, "NV": 4}, batch_size=0).job()
    assert dict(job.counts) == {"MEL": 3, "NV": 4}
    assert job.batch_size is None


def test_a_job_needs_a_class() -> None:
    with pytest.raises(ArgumentError, match="names no class"):
        replace(Settings(), chosen=[]).job()
