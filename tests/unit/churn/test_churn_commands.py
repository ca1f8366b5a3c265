"""`visitgrain churn portrait` over a small table that the test writes: no Spark."""

from __future__ import annotations

import re
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from visitgrain.cli import main
from visitgrain.cli.text_table import width
from visitgrain.tables.churning import CHURN_PORTRAITS

TYPES = {"date": pa.date32(), "string": pa.string(), "int": pa.int32(), "bigint": pa.int64(), "double": pa.float64()}
SCHEMA = pa.schema([(column.name, TYPES[column.type]) for column in CHURN_PORTRAITS.columns])
ROWS = [
    # group, feature, rank, effect, interval, p, effect before, words
    (
        "high",
        "visits",
        2,
        -0.8,
        -0.9,
        -0.7,
        0.0,
        None,
        "visits: 1, others 9: clearly lower",
        "访问次数：1，其他人9：明显低",
    ),
    ("high", "recency", 1, 1.2, 1.1, 1.3, 0.0, 1.15, "days <since> the last: 22, others 3: much higher", "天数：22"),
    ("high", "area=A", 3, 0.1, -0.1, 0.3, 0.4, 0.3, "area=A: 55.0%, others 50.0%: hardly higher", "area=A：55.0%"),
    ("low", "visits", 1, 0.5, 0.4, 0.6, 0.0, None, "visits: 9, others 1: clearly higher", "访问次数：9"),
]


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    names = ("group", "feature", "rank", "effect", "effect_low", "effect_high", "p_adjusted", "effect_before")
    fixed = {"month": date(2026, 3, 1), "subscribers": 1234, "others": 5678, "mean": 1.0, "mean_others": 2.0}
    rows = [{**fixed, **dict(zip((*names, "text", "text_zh"), row, strict=True))} for row in ROWS]
    table = pa.Table.from_pylist(rows, SCHEMA)
    write_deltalake(str(tmp_path / "churn_portraits"), table, partition_by=["month"])
    return tmp_path


@pytest.fixture
def run(capsys):
    """Exit code, standard output and standard error of a command."""

    def command(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return int(exit_.value.code or 0), captured.out, captured.err

    return command


def portrait(run, lake: Path, *more: object) -> str:
    code, out, err = run("--lake", lake, "churn", "portrait", "--month", "2026-03", *more)
    assert (code, err) == (0, "")
    return out


def test_text(run, lake):
    lines = portrait(run, lake).splitlines()
    assert lines[0] == "High risk of silence, against all others"
    assert lines[1].startswith("2026-03, 1,234 subscribers and 5,678 others.")
    assert [re.split(r"  +", line) for line in lines[4:]] == [
        ["1", "days <since> the last: 22, others 3: much higher", "+1.20", "+1.10 … +1.30", "+0.05"],
        ["2", "visits: 1, others 9: clearly lower", "-0.80", "-0.90 … -0.70"],
        ["3", "area=A: 55.0%, others 50.0%: hardly higher", "+0.10", "-0.10 … +0.30", "-0.20"],
    ]
    assert len(portrait(run, lake, "--top", 1).splitlines()) == 5
    assert "visits: 9" in portrait(run, lake, "--group", "low")


def test_chinese_lines_up(run, lake):
    lines = portrait(run, lake, "--language", "zh").splitlines()
    assert lines[0] == "高流失风险用户与其他用户对比"
    effects = [width(line[: re.search(r"[+-]\d\.\d\d", line).start()]) for line in lines[4:]]
    assert len(set(effects)) == 1


class Page(HTMLParser):
    """Tags with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_html_is_one_file_that_asks_for_nothing(run, lake, tmp_path):
    file = tmp_path / "portrait.html"
    assert portrait(run, lake, "--format", "html", "--out", file) == ""
    text = file.read_text(encoding="utf-8")
    assert text == portrait(run, lake, "--format", "html")
    assert "days &lt;since&gt; the last" in text
    assert "://" not in text
    assert "url(" not in text
    tags = Page(text).found
    assert {"script", "link", "img", "iframe"}.isdisjoint(tag for tag, _ in tags)
    assert all(name not in ("src", "href") for _, attributes in tags for name in attributes)
    bars = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", text)]
    assert len(bars) == 3
    # 1.3 is widest: half of 260 for it, so 120 for an effect of 1.2; the second goes to the left
    first, second, third = (bar.find("rect").attrib for bar in bars)
    assert (first["class"], first["x"], first["width"]) == ("up", "130.0", "120.0")
    assert (second["class"], second["x"], second["width"]) == ("down", "50.0", "80.0")
    assert third["class"] == "up pale"
    assert '<html lang="zh">' in portrait(run, lake, "--format", "html", "--language", "zh")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--month", "2026-04"), "no portrait of 2026-04; there are 2026-03"),
        (("--month", "2026-03", "--group", "silent"), "nothing about silent, only high, low"),
    ],
)
def test_what_is_there_instead(run, lake, arguments, told):
    code, _, err = run("--lake", lake, "churn", "portrait", *arguments)
    assert code == 4
    assert told in err


def test_no_table_yet(run, tmp_path):
    code, _, err = run("--lake", tmp_path, "churn", "portrait", "--month", "2026-03")
    assert code == 4
    assert "visitgrain run churn_scoring" in err
