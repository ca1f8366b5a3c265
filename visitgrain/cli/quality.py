"""`quality`: what the quality gate found; starts no Spark."""

from __future__ import annotations

import click

from visitgrain.cli.text_table import echo_table
from visitgrain.errors import UsageError
from visitgrain.runtime.context import Context


@click.command()
@click.option("--run", "run_id", help="A run, as `run_ledger` names it.")
@click.option("--last", is_flag=True, help="The last run; so it is without --run.")
@click.option("--all", "every", is_flag=True, help="Also the rules that hold or could not be judged.")
@click.pass_obj
def quality(context: Context, run_id: str | None, last: bool, every: bool) -> None:
    """What the quality gate found in a run: rules that warn or block, with what was found and what was allowed."""
    from visitgrain.runtime.quality.history import checked
    from visitgrain.runtime.quality.judge import Verdict
    from visitgrain.runtime.storage import Store

    if run_id and last:
        raise UsageError("--run and --last name a run each; give one of them")
    results = checked(Store(context.settings.lake))
    if not results:
        click.echo(f"lake {context.settings.lake}: no pipeline was judged yet")
        return
    wanted = run_id or results[-1].run_id
    of_run = [one for one in results if one.run_id == wanted]
    if not of_run:
        newest = ", ".join(dict.fromkeys(one.run_id for one in reversed(results[-1000:])))
        raise UsageError(f"--run {wanted}: the gate judged no such run; the newest are {newest}")
    quiet = (Verdict.PASS, Verdict.NOT_JUDGED)
    shown = [one for one in of_run if every or one.finding.verdict not in quiet]
    rows = [
        (f.table_name, f.period, f.rule, f.verdict, f.value, f.expected_low, f.expected_high, f.checked_rows)
        for f in (one.finding for one in shown)
    ]
    if rows:
        echo_table(("table", "period", "rule", "verdict", "found", "least", "most", "rows"), rows)
    verdicts = [one.finding.verdict for one in of_run]
    counts = ", ".join(f"{verdicts.count(verdict)} {verdict.replace('_', ' ')}" for verdict in Verdict)
    state = "was not published" if Verdict.BLOCK in verdicts else "was published"
    click.echo(f"run {wanted} of {of_run[-1].pipeline} {state}: {counts}")
