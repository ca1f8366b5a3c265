"""`cluster`: a standalone Spark cluster on this machine, closed to everybody without its secret."""

from __future__ import annotations

import click

from visitgrain.cli.text_table import echo_table
from visitgrain.runtime.context import Context
from visitgrain.runtime.daemons import Daemons, State
from visitgrain.runtime.standalone import Layout


@click.group()
def cluster() -> None:
    """Spark's standalone master, workers and history server on this machine: conf/standalone.yaml, docs/cluster.md."""


@cluster.command()
@click.pass_obj
def start(context: Context) -> None:
    """Start what does not run yet, wait until it answers."""
    daemons = _daemons(context)
    _echo(daemons, daemons.start())
    layout = daemons.layout
    click.echo(
        f"\nsubmit to it: ./spark-submit.sh --master {layout.master_url} "
        f"--load-spark-defaults {layout.client_properties} -- run monthly --date 2026-03-01"
    )


@cluster.command()
@click.pass_obj
def stop(context: Context) -> None:
    """End the processes that `start` started, and no others."""
    ended = _daemons(context).stop()
    click.echo(", ".join(f"{state.daemon.name} ({state.pid})" for state in ended) + " ended" if ended else "none runs")


@cluster.command()
@click.pass_obj
def status(context: Context) -> None:
    """What runs where; exit code 4 when the master does not answer."""
    daemons = _daemons(context)
    _echo(daemons, daemons.states())
    said = daemons.summary()
    click.echo(
        f"{said['status']}: {said['aliveworkers']} workers, {said['coresused']} of {said['cores']} cores in use, "
        f"applications {', '.join(app['id'] for app in said['activeapps']) or 'none'}"
    )


@cluster.command()
@click.pass_obj
def url(context: Context) -> None:
    """What spark-submit.sh takes as --master."""
    click.echo(_daemons(context).layout.master_url)


@cluster.command()
@click.pass_obj
def properties(context: Context) -> None:
    """The file that spark-submit.sh takes as --load-spark-defaults: it holds the secret, and is its owner's alone."""
    click.echo(_daemons(context).layout.client_properties)


@cluster.command()
@click.pass_obj
def token(context: Context) -> None:
    """A bearer token for the pages, good for 12 hours: curl -H "Authorization: Bearer $(visitgrain cluster token)" …"""
    click.echo(_daemons(context).layout.page_token())


def _daemons(context: Context) -> Daemons:
    return Daemons(Layout.of(context.conf))


def _echo(daemons: Daemons, states: list[State]) -> None:
    host = daemons.layout.settings.host
    rows = [
        (s.daemon.name, str(s.pid or "-"), f"http://{host}:{s.daemon.ports[-1]}", daemons.log(s.daemon)) for s in states
    ]
    echo_table(("daemon", "process", "pages (with a token)", "log"), rows)
