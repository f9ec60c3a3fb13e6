"""The pictures are what their script draws."""

import runpy

import pytest

from tests.docs.documents import ROOT

FOLDER = ROOT / "docs" / "pictures"
PICTURES = runpy.run_path(str(FOLDER / "draw.py"))["PICTURES"]


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_what_its_script_draws(name: str) -> None:
    assert (FOLDER / name).read_text() == PICTURES[name](), "draw it: python docs/pictures/draw.py"
