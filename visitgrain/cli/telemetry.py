"""`telemetry` and `lineage`: what other systems read about runs and tables. Starts no Spark."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import click

from visitgrain.cli.discovery import discovered_jobs
from visitgrain.errors import UsageError, VisitgrainError
from visitgrain.runtime import openlineage, telemetry as figures
from visitgrain.runtime.context import Context
from visitgrain.runtime.freshness import complete_through
from visitgrain.runtime.storage import Store

LOG = logging.getLogger(__name__)
HOST = "127.0.0.1"
WAITED = "_lock_wait.json"


@click.command()
@click.option("--to", "path", type=click.Path(path_type=Path, dir_okay=False), help="Write this file and end.")
@click.option("--serve", "port", type=click.IntRange(0, 65535), help="Answer on this port of 127.0.0.1; 0 = any free.")
@click.pass_obj
def telemetry(context: Context, path: Path | None, port: int | None) -> None:
    """Figures of runs and tables for Prometheus: on standard output, to a file, or served on this machine."""
    if path is not None and port is not None:
        raise UsageError("say --to FILE or --serve PORT, not both")
    if port is not None:
        _serve(context, port)
    elif path is not None:
        figures.write(path, telemetry_text(context))
    else:
        click.echo(telemetry_text(context), nl=False)


@click.command()
@click.option("--run", "run_id", required=True, help="A run of the ledger; `latest` = the last one.")
@click.pass_obj
def lineage(context: Context, run_id: str) -> None:
    """Print the OpenLineage events of a run, one JSON object per line."""
    entries = context.ledger.entries()
    wanted = entries[-1].run_id if entries and run_id == "latest" else run_id
    found = [entry for entry in entries if entry.run_id == wanted]
    if not found:
        last = f"; the last run is {entries[-1].run_id}" if entries else ""
        raise UsageError(f"--run {run_id}: not in the ledger of {context.settings.lake}{last}")
    for event in openlineage.events(found, lake=_root(context), zone=context.settings.zone):
        click.echo(openlineage.line(event))


def telemetry_text(context: Context) -> str:
    book, zone = context.book, context.settings.zone
    through = complete_through(book, discovered_jobs().values())
    waited = (Store(context.settings.lake).read_json(WAITED) or {}).get("seconds", 0.0)
    found = figures.families(book.entries, through, waited_s=waited, now=datetime.now(UTC), zone=zone)
    return figures.text_of(found)


def write_exports(context: Context) -> None:
    """What the settings want told after a command that recorded runs. A failure is a warning: the run is done."""
    if "ledger" not in vars(context) or not context.ledger.recorded:  # it is opened by commands that need it
        return
    recorded, settings = context.ledger.recorded, context.settings
    try:
        _add_lock_wait(context)
        if settings.lineage_file:
            events = openlineage.events(recorded, lake=_root(context), zone=settings.zone)
            openlineage.append(Path(settings.lineage_file), events)
        if settings.telemetry_file:
            figures.write(Path(settings.telemetry_file), telemetry_text(context))
    except Exception as error:
        LOG.warning(
            "the run is recorded, but telemetry_file or lineage_file was not written: %s; write them later with "
            "`visitgrain telemetry --to FILE` and `visitgrain lineage --run %s`",
            error,
            context.run_id,
        )


def _add_lock_wait(context: Context) -> None:
    if (waited := context.lake.locks.waited_s) >= figures.LEAST_WAIT_S:
        store = context.lake.store
        so_far = (store.read_json(WAITED) or {}).get("seconds", 0.0)
        store.write_json(WAITED, {"seconds": round(so_far + waited, 3)})


def _root(context: Context) -> str:
    return Store(context.settings.lake).root


def _serve(context: Context, port: int) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.partition("?")[0] != "/metrics":
                self.send_error(404, "only /metrics is here")
                return
            try:
                body = telemetry_text(context).encode()
            except VisitgrainError as error:
                LOG.warning("%s", error)
                self.send_error(500, "the lake cannot be read; the log of `visitgrain telemetry` says why")
                return
            self.send_response(200)
            self.send_header("Content-Type", figures.CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            LOG.debug(format, *arguments)

    with ThreadingHTTPServer((HOST, port), Handler) as server:
        click.echo(f"http://{HOST}:{server.server_port}/metrics; Ctrl-C ends it")
        server.serve_forever()
