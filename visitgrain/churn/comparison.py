"""All learners of a training side by side and the gate's word on the best one: notes in MLflow, and a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from visitgrain.churn import figures
from visitgrain.churn.cards import MEANING, markdown
from visitgrain.churn.promotion import Verdict
from visitgrain.churn.training import Trained

# Heading and what it means, by the name of the metric in MLflow.
MEASURES = {
    "choosing_log_loss": ("decides: log-loss before the test", "on the choosing months; the least is put forward"),
    "auc": ("AUC (95 %)", "chance that who has the outcome scores above who has not; 0.5 = a coin; over subscribers"),
    "pr_auc": ("PR-AUC", "average precision; a coin has the share of those with the outcome"),
    "lift_at_10": (
        "lift at 10 %",
        "those with the outcome in the highest tenth of scores against all; 2 = twice as many",
    ),
    "ece": ("ECE", "distance between score and observed share in ten bins; 0 = scores are what they say"),
    "log_loss": ("log-loss", "mean negative log-likelihood on the test months; less is better"),
    "empc_fen": ("profit, yuan", "per subscriber, of the best campaign by these scores"),
}
IN_NOTE = tuple(MEASURES)[:5]  # more run together in MLflow's notes

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{font: 13px sans-serif; max-width: 80em}} table {{border-collapse: collapse}} img {{max-width: 100%}}
td, th {{border: 1px solid #ccc; padding: 3px 5px; text-align: right}}
.text {{text-align: left; min-width: 11em}} .best {{font-weight: bold; background: #eef6ee}}
</style></head><body><h1>{title}</h1>
<p><b>{headline}.</b> {note} The same test months for all; in bold who is put forward.</p>
<table><tr>{head}</tr>
{body}
</table>
<ul>{measures}</ul>
<img src="{picture}" alt="AUC of every learner with its interval">
<h2>{said}</h2>
<ul>{reasons}</ul>
<p>MLflow: experiment {model}, run {model} {month}, <i>Compare the runs</i> in its note.</p></body></html>
"""


@dataclass(frozen=True, eq=False)
class Comparison:
    """`found` are tested on the same months, as `tested` says; `best` is put forward, and `verdict` is of it."""

    model: str
    month: str
    tested: str
    found: Sequence[Trained]
    best: Trained
    verdict: Verdict

    @property
    def headline(self) -> str:
        """What a list shows of it."""
        return f"{self.best.name} {self.month}, AUC {self.best.evaluation.scalars['auc']:.3f}, {self.verdict.outcome}"

    @property
    def note(self) -> str:
        """Of the version. Markdown."""
        return f"{self.headline}. {self.tested}\n\n{self._reasons}"

    def note_of_run(self, links: str) -> str:
        """Of the parent run: what is cut off first comes last. Markdown."""
        rows = []
        for one in self.found:
            cells = {"learner": one.name, **_cells(one)}
            rows.append({k: f"**{cell}**" for k, cell in cells.items()} if one is self.best else cells)
        heads = {"learner": "learner", **{name: MEASURES[name][0] for name in IN_NOTE}}
        table = markdown([{heads[name]: row[name] for name in heads} for row in rows], tuple(heads.values()))
        return f"**{self.headline}.** {self.tested}\n\n{links}\n\n{table}\n\n{self._reasons}"

    def page(self) -> str:
        """To pass on: nothing in it leads elsewhere or is loaded."""
        head = "".join(f"<th>{heading}</th>" for heading, _ in MEASURES.values())
        return PAGE.format(
            title=f"{self.model} {self.month}: learners compared",
            headline=self.headline,
            note=self.tested,
            head=f'<th class="text">learner</th>{head}<th>seconds</th>',
            body="\n".join(self._row(one) for one in self.found),
            measures="".join(f"<li><b>{heading}</b>: {meaning}</li>" for heading, meaning in MEASURES.values()),
            picture=figures.data_uri(figures.comparison_plot(self.scalars())),
            said=self._said,
            reasons="".join(f"<li>{escape(reason)}</li>" for reason in self.verdict.reasons),
            model=self.model,
            month=self.month,
        )

    def scalars(self) -> figures.Rows:
        """A row per learner: `learner` and the numbers of its test."""
        return [{"learner": one.name, **one.evaluation.scalars} for one in self.found]

    def _row(self, one: Trained) -> str:
        opening = '<tr class="best">' if one is self.best else "<tr>"
        learner = f'<td class="text">{one.name}<br><small>{MEANING.get(one.name, "")}</small></td>'
        numbers = "".join(f"<td>{cell}</td>" for cell in _cells(one).values())
        return f"{opening}{learner}{numbers}<td>{one.fits.seconds:.1f}</td></tr>"

    @property
    def _said(self) -> str:
        return "What speaks for it" if self.verdict.promoted else "What the gate refuses it for"

    @property
    def _reasons(self) -> str:
        return f"{self._said}:\n\n{self.verdict.listed}"


def _cells(one: Trained) -> dict[str, str]:
    """By the names of MEASURES, in their order."""
    numbers = {"choosing_log_loss": one.choosing_log_loss, **one.evaluation.scalars}
    cells = {name: f"{numbers[name]:.4f}" for name in MEASURES}
    return cells | {
        "auc": f"{numbers['auc']:.4f} ({numbers['auc_low']:.3f}–{numbers['auc_high']:.3f})",
        "lift_at_10": f"{numbers['lift_at_10']:.2f}",
        "empc_fen": f"{numbers['empc_fen'] / 100:.2f}",
    }
