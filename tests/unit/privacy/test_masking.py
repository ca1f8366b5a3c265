"""H11: phone numbers reach no message and no log."""

from __future__ import annotations

import json
import logging

import pytest

from visitgrain.cli import main
from visitgrain.errors import GateRefused, masked
from visitgrain.runtime.logs import configure_logs

NUMBER = "13800138000"


@pytest.mark.parametrize(
    "text", [NUMBER, f"+86{NUMBER}", f"0086 {NUMBER}", "138 0013 8000", "138-0013-8000", f"a={NUMBER}&b", f"'{NUMBER}'"]
)
def test_numbers_are_masked(text):
    assert "0013" not in masked(text)


@pytest.mark.parametrize(
    "text", ["1772330000000", "20260301T060000Z-13800138", "8613", "f13800138000e", "1,380,013,800"]
)
def test_other_digits_stay(text):
    assert masked(text) == text


def test_an_error_shows_no_number():
    assert str(GateRefused(f"table x: key {NUMBER} twice")) == "table x: key 1********** twice"


@pytest.mark.parametrize("form", ["text", "json"])
def test_h11_a_log_line_and_its_trace_show_no_number(capsys, form):
    configure_logs(run_id="r", form=form, debug=False)
    try:
        raise ValueError(NUMBER)
    except ValueError:
        logging.getLogger("visitgrain").exception("failed for %s", NUMBER)
    written = capsys.readouterr().err
    assert "failed for 1****" in written
    assert NUMBER not in written
    assert form == "text" or json.loads(written)["exception"]


def test_a_refused_argument_is_not_repeated(capsys):
    with pytest.raises(SystemExit):
        main(["run", NUMBER, "--date", "2026-03-01"])
    assert NUMBER not in capsys.readouterr().err
