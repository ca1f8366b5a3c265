"""Segment models: the 27 names, and what the loader refuses."""

from __future__ import annotations

from pathlib import Path
from shutil import copytree

import pytest

from visitgrain.catalogue.segment_models import load_segment_models, segment_number
from visitgrain.errors import ConfigError

SHIPPED = Path(__file__).parents[3] / "conf" / "catalogue" / "segments"


@pytest.fixture
def folder(tmp_path):
    return copytree(SHIPPED, tmp_path / "segments")


def change(folder: Path, old: str, new: str, name: str = "behaviour") -> Path:
    path = folder / f"{name}.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return folder


def test_27_cells_in_order_of_their_number():
    for model in load_segment_models(SHIPPED).values():
        cells = model.cells()
        assert [cell.segment for cell in cells] == list(range(1, 28))
        assert [segment_number(cell.levels) for cell in cells] == list(range(1, 28))
        assert len({(cell.code, cell.zh, cell.en) for cell in cells}) == 27


def test_names_are_made_of_their_levels():
    models = load_segment_models(SHIPPED)
    cell = models["consumption"].cells()[6 - 1]
    assert (cell.code, cell.zh) == ("A1P2D3", "青年·中消费·高流量")
    assert models["behaviour"].cells()[22 - 1].code == "R3F2V1"  # 9 * 2 + 3 * 1 + 1
    assert models["behaviour"].cells_and_unassigned()[0].segment == 0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("measure: visits", "measure: visit", "behaviour.yaml:17:.*unknown measure; did you mean 'visits'"),
        ("fit: terciles", "fixed: [9, 3]", "do not rise"),
        ("    fit: terciles\n", "", "either `fixed: .low, high.` or `fit: terciles`"),
        ("axis: frequency", "axis: often", "axes are recency, often, value; model 'behaviour' has recency, frequency"),
        ("fit: terciles", "fit: quartiles", "terciles"),
        ("score.general", "score.genral", "no card 'genral'; did you mean 'general'"),
    ],
)
def test_wrong_models_are_refused(folder, old, new, message):
    with pytest.raises(ConfigError, match=message):
        load_segment_models(change(folder, old, new), purposes=["general"])


def test_problems_of_both_files_come_together(folder):
    change(folder, "measure: visits", "measure: x")
    change(folder, "measure: age", "measure: y", name="consumption")
    with pytest.raises(ConfigError, match=r"(?s)consumption.yaml.*behaviour.yaml"):
        load_segment_models(folder)
