"""What the text chunk of a stranger's image may say: every field, of its type and within its range."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.output.image_file import ImageFileError, ImageParameters, read_parameters
from core.output.parameter_reader import FIELDS
from tests.core.examples import parameters, write_png_with_text

HUGE = 10**400
BAD: dict[str, tuple[Any, ...]] = {
    "class": ("SCC", "mel", None, ["MEL"], 1, "MELANOCYTIC"),
    "isic_number": (1.0, 0, -1, True, "1", None, HUGE),
    "generated_at": ("x", 5, None, "", "2020-13-01T00:00:00", "2020-01-01T00:00:00+00:00\n=cmd", ["2020"]),
    "seed": (10**40, -1, "x", None, 1.5, 2**31, math.nan),
    "base_seed": (HUGE, "42", None, 0.0, False),
    "sampler": ("x", ["ddpm"], {"ddpm": 1}, None, ""),
    "steps": (0, -1, "50", None, 1001, 50.0, math.inf, HUGE),
    "reuse": (0, 11, "a", None, 1.0),
    "precision": ("int8", [1], "auto", None),
    "device": ("hostile", 5, "cuda:", "cuda:-1", "meta", "cpu\n", None, "cuda:0; rm"),
    "checkpoint": ("../x", "/etc/passwd", "a/b", "<img src=x>", "", None, 5, "x\n", "CON", "a" * 201, "=1+1"),
    "checkpoint_sha256": (5, None, "ab" * 31, "AB" * 32, "zz" * 32),
    "demonstration": (0, "false", None),
    "image_size": (0, -16, 16.0, "16", 10**9),
    "color_adjustment": (
        {"mean": [HUGE] * 3, "std": [1, 1, 1]},
        {"mean": [1, 1], "std": [1, 1, 1]},
        {"mean": ["1", "1", "1"], "std": [1, 1, 1]},
        {"mean": [True, 1, 1], "std": [1, 1, 1]},
        {"mean": [math.nan, 1, 1], "std": [1, 1, 1]},
        {"mean": [1, 1, 1]},
        [],
        5,
    ),
    "isicgui_version": ("<b>", 1, None, "v" * 65, "1\t2"),
    "torch_version": ("=1", {}, None, "1 2"),
    "diffusers_version": ("", [], None),
    "condition": (
        {"sex": "other"},
        {"age": HUGE},
        {"age": math.nan},
        {"unknown": 1},
        "text",
        5,
        [1],
        {"site": ["back"]},
    ),
    "guidance": (-1, 21, "2", math.nan, HUGE, True),
    "lesion_mask": (0, 1, "true", None, []),
}


def test_the_reader_knows_every_field_of_an_image() -> None:
    assert set(FIELDS) == {field.name for field in fields(ImageParameters)}
    assert {"class_name" if name == "class" else name for name in BAD} == set(FIELDS)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_a_value_of_another_type_or_range_is_refused_with_its_field(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name) as refused:
        ImageParameters.from_json({**parameters().to_json(), name: value})
    assert len(str(refused.value)) < 500
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    "name", [name for name in BAD if name not in ("reuse", "condition", "guidance", "lesion_mask")]
)
def test_a_field_that_is_missing_is_named(name: str) -> None:
    values = parameters().to_json()
    del values[name]
    with pytest.raises(ValueError, match=f"{name!r} is missing"):
        ImageParameters.from_json(values)


@pytest.mark.parametrize("values", [None, [], "x", 5, {"format": ["isicgui.image/1"]}, {1: 2}])
def test_what_is_no_object_of_this_format_is_refused(values: object) -> None:
    with pytest.raises(ValueError, match="format"):
        ImageParameters.from_json(values)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


@given(changes=st.dictionaries(st.sampled_from(sorted(BAD)), _JSON, max_size=4))
def test_any_values_are_accepted_as_they_are_or_refused_in_a_sentence(changes: dict[str, Any]) -> None:
    values = {**parameters().to_json(), **changes}
    try:
        accepted = ImageParameters.from_json(values)
    except ValueError as error:
        assert str(error)
    else:
        again = accepted.to_json()
        assert ImageParameters.from_json(json.loads(json.dumps(again))) == accepted
        assert {key: again[key] for key in changes if key in again and key != "condition"} == {
            key: value for key, value in changes.items() if key in again and key != "condition"
        }


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"format": "isicgui.image/1", "later": ' + "[" * 40 + "]" * 40 + "}",
        "9" * 5000,
        '{"format": NaN}',
        json.dumps({**parameters().to_json(), "guidance": math.nan}),
        json.dumps({**parameters().to_json(), "steps": math.inf}),
    ],
)
def test_text_that_is_too_deep_or_not_json_costs_one_sentence(tmp_path: Path, text: str) -> None:
    file = write_png_with_text(tmp_path / "a.png", text)
    with pytest.raises(ImageFileError, match="a.png"):
        read_parameters(file)


def test_deep_values_inside_strings_do_no_harm(tmp_path: Path) -> None:
    text = json.dumps({**parameters().to_json(), "later": '"[{' * 1000})
    assert read_parameters(write_png_with_text(tmp_path / "a.png", text)) == parameters()
