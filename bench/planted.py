"""Scores against the best that the truth of a simulated world allows: `python -m bench.planted`. Prints.

The product simulates, ingests, trains and scores by its own commands. Beside that, from the simulator's own settings,
the probability of silence given a subscriber's visits so far on all channels, the planted hazards, and the law of the
rates: the own rate nobody knows. Left aside are coupon hunters, numbers that are handed over, and who follows a share.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from deltalake import DeltaTable
from numpy.typing import NDArray

from bench.contestants import FOLDER
from visitgrain.churn.quality import auc
from visitgrain.simulation.days import date_of, month_begins, month_number, number_of
from visitgrain.simulation.occasions import day_factors
from visitgrain.simulation.subscribers import Subscribers, silence_hazard, to_subscribers
from visitgrain.simulation.world import World, load_world
from visitgrain.span import Span

SEED, NODES = 1, 61
SILENT_DAYS = 28  # of a month on which a silence may begin: the simulator's between(0, 27)
SPAN = Span(date(2025, 1, 1), date(2025, 9, 30))
FIRST = number_of(SPAN.start)
DAYS = number_of(SPAN.end) + 1 - FIRST
SCORED = (date(2025, 7, 1), date(2025, 8, 1))  # the test months of a training on labels up to September
Floats = NDArray[np.float64]


class Seen(NamedTuple):
    """Visits as the lake has them: subscriber (row of `people`), day since SPAN began, how many, whether in the app."""

    who: NDArray[np.int64]
    day: NDArray[np.int64]
    visits: NDArray[np.int64]
    in_app: NDArray[np.bool_]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.planted", description=__doc__.splitlines()[0])
    parser.add_argument("--subscribers", type=int, default=30_000)
    arguments = parser.parse_args()
    lake, world = _lake(arguments.subscribers), load_world()
    people = to_subscribers(np.arange(arguments.subscribers), world=world, span=SPAN, seed=SEED)
    seen = _seen(lake, people)
    found = [_compared(lake, people, world, seen, month) for month in SCORED]
    silent, score, allowed = (np.concatenate(part) for part in zip(*found, strict=True))
    print(f"{len(silent):,} rows: AUC {auc(silent, score):.4f}, the truth allows {auc(silent, allowed):.4f}")
    print("decile  score  allowed  observed")
    for decile, rows in enumerate(np.array_split(np.argsort(-score, kind="stable"), 10), 1):
        print(f"{decile:6} {score[rows].mean():6.3f} {allowed[rows].mean():8.3f} {silent[rows].mean():9.3f}")


def _lake(subscribers: int) -> Path:
    """With scores of the test months; made once."""
    folder = FOLDER / f"planted-{subscribers}"
    lake = folder / "lake"
    command = [sys.executable, "-m", "visitgrain.cli", "--lake", str(lake)]
    command += ["--set", f"pseudonym_secret_file={folder / 'secret'}"]
    command += ["--set", f"mlflow_uri=sqlite:///{folder.absolute()}/mlflow.db"]
    span = ["--from", str(SPAN.start), "--to", str(SPAN.end)]
    steps = [
        ["demo", "--subscribers", str(subscribers), *span, "--seed", str(SEED), "--path", str(folder / "feed")],
        ["backfill", "monthly_churn", "--from", f"{SPAN.start:%Y-%m}", "--to", f"{SPAN.end:%Y-%m}"],
        ["run", "train_churn", "--month", f"{SPAN.end:%Y-%m}"],
        *(["run", "churn_scoring", "--month", f"{month:%Y-%m}"] for month in SCORED),
    ]
    if not (lake / "churn_scores").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for step in steps:
            subprocess.run([*command, *step], check=True)
    return lake


def _table(lake: Path, name: str) -> pl.DataFrame:
    return pl.DataFrame(DeltaTable(str(lake / name)).to_pyarrow_table())


def _row(people: Subscribers) -> pl.Expr:
    rows = {int(one): row for row, one in enumerate(people.subscriber_id)}
    return pl.col("subscriber_id").replace_strict(rows, return_dtype=pl.Int64).alias("row")


def _seen(lake: Path, people: Subscribers) -> Seen:
    days = _table(lake, "activity_days").with_columns(_row(people), pl.col("day").cast(pl.Int64))
    own = (days["row"], days["day"] - FIRST, days["visits"], days["channel"] == "app")
    return Seen(*(column.to_numpy() for column in own))


def _compared(
    lake: Path, people: Subscribers, world: World, seen: Seen, month: date
) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Silent in the month after, score, and the probability that the truth allows to be told, of everybody scored."""
    cut_off = int(month_begins(month_number(number_of(month)) + 1))
    scores = _table(lake, "churn_scores").filter(pl.col("month") == month).with_columns(_row(people))
    labels = _table(lake, "churn_labels").filter(pl.col("month") == date_of(cut_off)).select("subscriber_id", "silent")
    rows = scores.join(labels, on="subscriber_id")
    allowed = allowed_to_tell(people, world, seen, rows["row"].to_numpy(), cut_off)
    return rows["silent"].cast(pl.Int64).to_numpy(), rows["probability"].to_numpy(), allowed


def allowed_to_tell(people: Subscribers, world: World, seen: Seen, rows: NDArray[np.int64], cut_off: int) -> Floats:
    """P(no visit in the app in the month after `cut_off` | visits before it) of these rows of `people`.

    At rate r visits are Poisson of mean r q F while alive: F the sum of the days' factors, q the share of visits that
    the log names. Rates are summed over the nodes of Gauss and Hermite.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    spread, mean = world.population.visits_spread, world.population.visits_per_month / 30
    rate = mean * np.exp(spread * nodes - spread**2 / 2)
    now = int(month_number(cut_off - 1))
    known = {name: values[rows] for name, values in vars(people).items()}
    hazard, next_hazard = (silence_hazard(world, known, month)[:, None] for month in (now, now + 1))
    until, joined = _factors(world), _begin(people)
    named, in_app = _shares(people, seen, until)

    cut, past = cut_off - FIRST, seen.day < cut_off - FIRST
    visits = np.bincount(seen.who[past], seen.visits[past], len(people))[rows]
    last = np.full(len(people), -1)
    np.maximum.at(last, seen.who[past], seen.day[past])
    prior = np.log(weights / weights.sum()) + visits[:, None] * np.log(rate)

    def alive_until(day: int) -> Floats:
        lived: Floats = prior - named * rate * (until[day] - until[joined[rows]])[:, None]
        return lived

    alive = alive_until(cut) + np.log1p(-hazard)
    silent = np.full_like(alive, -np.inf)
    month_began = int(month_begins(now)) - FIRST
    for day in range(month_began, month_began + SILENT_DAYS):
        begins = np.where((last[rows] < day)[:, None], alive_until(day) + np.log(hazard / SILENT_DAYS), -np.inf)
        silent = np.logaddexp(silent, begins)
    total = np.logaddexp.reduce(np.concatenate([alive, silent], axis=1), axis=1, keepdims=True)

    ends = [int(month_begins(now + 2)) - FIRST, *range(cut, cut + SILENT_DAYS)]  # of the month, or with a silence
    quiet, *cut_short = (np.exp(-in_app * rate * (until[end] - until[cut])) for end in ends)
    stays_away = (1 - next_hazard) * quiet + next_hazard * np.mean(cut_short, axis=0)
    found: Floats = np.exp(silent - total).sum(axis=1) + (np.exp(alive - total) * stays_away).sum(axis=1)
    return found


def _factors(world: World) -> Floats:
    """Sum of the factors of the days before each day since SPAN began."""
    return np.concatenate([[0.0], np.cumsum(day_factors(world, np.arange(FIRST, number_of(SPAN.end) + 1)))])


def _begin(people: Subscribers) -> NDArray[np.int64]:
    """Day since SPAN began on which each began, 0 where that was before."""
    begin: NDArray[np.int64] = np.clip(people.activation - FIRST, 0, DAYS)
    return begin


def _shares(people: Subscribers, seen: Seen, until: Floats) -> tuple[float, float]:
    """Of the visits that the rates let expect: those that the log names, and those of them in the app."""
    lived = until[np.clip(people.silent_from - FIRST, 0, DAYS)] - until[_begin(people)]
    planned = (people.visit_rate * np.maximum(lived, 0))[people.uses_e_channel].sum()
    return seen.visits.sum() / planned, seen.visits[seen.in_app].sum() / planned


if __name__ == "__main__":
    main()
