"""What is kept of a version between two checks is true of where it lies now."""

from dataclasses import replace
from pathlib import Path

from stage2fuzz.case.text import read_case
from stage2fuzz.check.survey import Exhibit, Survey, keep, load
from stage2fuzz.places import CORPUS
from stage2fuzz.run import run


def test_a_kept_survey_names_the_tree_where_it_lies_now(tmp_path: Path) -> None:
    case = read_case(CORPUS / "map_race/situation-1-late-loser.case")
    violation = run(case).violations[0]
    before = replace(case, engine="kernel:/before")
    path = tmp_path / "kept.json"
    keep(path, Survey([3], exhibits={violation.signature: Exhibit(violation, before, 2, 1)}))
    kept = load(path, "kernel:/now")
    assert kept is not None and kept.turns == [3]
    assert kept.exhibits[violation.signature].case == replace(before, engine="kernel:/now")
