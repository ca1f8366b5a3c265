"""The portrait of a group as a page: a table for terminals, or one HTML file that asks for nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from html import escape
from typing import Any, Literal, NamedTuple

Row = Mapping[str, Any]  # of CHURN_PORTRAITS
Language = Literal["en", "zh"]
GROUPS = {
    "high": ("High risk of silence, against all others", "高流失风险用户与其他用户对比"),
    "mid": ("Medium risk of silence, against all others", "中流失风险用户与其他用户对比"),
    "low": ("Low risk of silence, against all others", "低流失风险用户与其他用户对比"),
    "silent": ("Who went silent, against who stayed", "沉默用户与留存用户对比"),
}
HEADS = {
    "en": ("", "what differs", "effect", "95 % interval", "since last month"),
    "zh": ("", "差异", "效应量", "95%置信区间", "较上月"),
}
NOTES = {
    "en": "{month}, {n:,} subscribers and {others:,} others. Effect: difference of the means in standard deviations "
    "(Cohen's d); 0.2 is small, 0.5 medium, 0.8 large. Pale: no difference beyond chance. A difference is no cause.",
    "zh": "{month}，{n:,}位用户，其他{others:,}位。效应量：均值之差除以标准差（Cohen's d），0.2为小，0.5为中，0.8为大。"
    "浅色：差异不显著。差异不等于原因。",
}
SURE = 0.05  # of the adjusted p
WIDTH, HEIGHT = 260, 18  # of a bar's picture
STYLE = """body{font:15px/1.4 sans-serif;margin:2em auto;max-width:70em;color:#222}table{border-collapse:collapse}
td,th{padding:3px 10px;text-align:left;border-bottom:1px solid #ddd}.n{text-align:right;white-space:nowrap}p{color:#555}
.up{fill:#b5482f}.down{fill:#2f6db5}.pale{opacity:.35}line{stroke:#222}line.zero{stroke:#aaa}"""


class Shown(NamedTuple):
    """Cells of a row as they are read."""

    rank: str
    text: str
    effect: str
    interval: str
    change: str


def heads(language: Language) -> tuple[str, ...]:
    return HEADS[language]


def title(group: str, language: Language) -> str:
    return GROUPS[group][language == "zh"]


def note(rows: Sequence[Row], month: date, language: Language) -> str:
    """How many are compared (a feature may have fewer with a value), and how to read it."""
    n, others = (max(row[name] for row in rows) for name in ("subscribers", "others"))
    return NOTES[language].format(month=f"{month:%Y-%m}", n=n, others=others)


def shown(row: Row, language: Language) -> Shown:
    before = row["effect_before"]
    return Shown(
        str(row["rank"]),
        str(row["text_zh" if language == "zh" else "text"]),
        f"{row['effect']:+.2f}",
        f"{row['effect_low']:+.2f} … {row['effect_high']:+.2f}",
        "" if before is None else f"{row['effect'] - before:+.2f}",
    )


def page(rows: Sequence[Row], group: str, month: date, language: Language) -> str:
    """HTML with the bars drawn inside; `rows` in order of rank, one at least."""
    widest = max(max(abs(row["effect_low"]), abs(row["effect_high"])) for row in rows)
    head = "".join(f"<th>{escape(name)}</th>" for name in (*HEADS[language][:2], "", *HEADS[language][2:]))
    body = "\n".join(_line(row, widest, language) for row in rows)
    name = escape(title(group, language))
    return (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8"><title>{name}</title>'
        f"<style>{STYLE}</style></head>\n<body><h1>{name}</h1><p>{escape(note(rows, month, language))}</p>\n"
        f"<table><tr>{head}</tr>\n{body}\n</table></body></html>\n"
    )


def _line(row: Row, widest: float, language: Language) -> str:
    cells = shown(row, language)
    numbers = "".join(f'<td class="n">{escape(cell)}</td>' for cell in cells[2:])
    return f'<tr><td class="n">{cells.rank}</td><td>{escape(cells.text)}</td><td>{_bar(row, widest)}</td>{numbers}</tr>'


def _bar(row: Row, widest: float) -> str:
    """From 0 to the effect, with its interval; 0 is in the middle."""

    def place(value: float) -> float:
        return round(WIDTH / 2 * (1 + value / (widest or 1)), 1)

    zero, end = place(0), place(row["effect"])
    kind = ("up" if row["effect"] > 0 else "down") + ("" if row["p_adjusted"] < SURE else " pale")
    middle = HEIGHT / 2
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{row["effect"]:+.2f}">'
        f'<rect class="{kind}" x="{min(zero, end)}" y="4" width="{abs(end - zero):.1f}" height="{HEIGHT - 8}"/>'
        f'<line x1="{place(row["effect_low"])}" x2="{place(row["effect_high"])}" y1="{middle}" y2="{middle}"/>'
        f'<line class="zero" x1="{zero}" x2="{zero}" y1="0" y2="{HEIGHT}"/></svg>'
    )
