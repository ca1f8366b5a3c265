"""The root command: settings common to all commands, and the list of commands."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Literal

import click

import visitgrain.cli.explain_subscriber  # adds itself to `explain`
import visitgrain.cli.metrics_explain  # adds itself to `metrics`
from visitgrain.cli.audit import audit
from visitgrain.cli.churn import churn
from visitgrain.cli.cluster import cluster
from visitgrain.cli.config import config
from visitgrain.cli.data import admit_late, ingest, requarantine, simulate
from visitgrain.cli.demo import demo
from visitgrain.cli.docs import docs
from visitgrain.cli.erase import erase
from visitgrain.cli.explain import explain
from visitgrain.cli.export import export
from visitgrain.cli.maintain import maintain
from visitgrain.cli.metrics import metrics
from visitgrain.cli.models import models
from visitgrain.cli.plan import jobs, plan
from visitgrain.cli.quality import quality
from visitgrain.cli.restore import restore
from visitgrain.cli.retain import retain
from visitgrain.cli.rotate import rotate_pseudonyms
from visitgrain.cli.run import backfill, run
from visitgrain.cli.run_ids import checked_run_id
from visitgrain.cli.status import status
from visitgrain.cli.telemetry import lineage, telemetry, write_exports
from visitgrain.cli.tracking_server import mlflow_server
from visitgrain.cli.unstitch import unstitch
from visitgrain.runtime.context import Context
from visitgrain.runtime.logs import configure_logs
from visitgrain.runtime.settings import default_conf, resolve


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(visitgrain.__version__)
@click.option("--conf", type=click.Path(path_type=Path, file_okay=False), help="Folder of settings and catalogue.")
@click.option(
    "--env", "environment", envvar="VISITGRAIN_ENV", default="local", show_default=True, help="conf/ENV.yaml."
)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a setting; may be repeated.")
@click.option("--lake", help="Folder or URI of all tables; short for --set lake=…")
@click.option("--run-id", callback=checked_run_id, help="Name this run, or go on with the run of that name.")
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--debug", is_flag=True, help="Show whole traces and more logs.")
@click.pass_context
def app(
    click_context: click.Context,
    conf: Path | None,
    environment: str,
    overrides: tuple[str, ...],
    lake: str | None,
    run_id: str | None,
    log_format: Literal["text", "json"],
    debug: bool,
) -> None:
    """Behaviour analytics for a mobile operator's e-channel: visits, features and segments in Delta tables."""
    pairs: list[Any] = [*overrides, *([f"lake={lake}"] if lake else [])]
    resolved = resolve(conf or default_conf(), environment=environment, overrides=pairs)
    named = {"run_id": run_id, "attached": True} if run_id else {}
    context = Context(resolved.settings, resolved.conf, debug=debug, **named)
    configure_logs(run_id=context.run_id, form=log_format, debug=debug)
    click_context.obj = context
    click_context.call_on_close(partial(write_exports, context))
    click_context.meta["origins"] = resolved.origins


COMMANDS = (
    *(run, backfill, plan, jobs, status, quality, explain, metrics, churn, models),
    *(ingest, requarantine, admit_late, unstitch, simulate),
    *(erase, retain, audit, rotate_pseudonyms),
    *(demo, docs, config, mlflow_server, cluster, export),
    *(maintain, restore, telemetry, lineage),
)
for command in COMMANDS:
    app.add_command(command)
