"""The command line. `main` is the console script; a command lives in the module of its group."""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType

import click

from visitgrain.errors import UsageError, VisitgrainError, masked

INTERRUPTED = 130
UNEXPECTED = 6


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit: 0 ok, 2 usage, 3 conf, 4 input, 5 gate, 6 job, 7 locked, 8 late, 130 interrupted."""
    from visitgrain.cli.app import app

    signal.signal(signal.SIGTERM, _interrupt)
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        app.main(args=given, prog_name="visitgrain", standalone_mode=False)
        code = 0
    except click.exceptions.Exit as leave:
        code = leave.exit_code
    except click.ClickException as error:
        error.message = masked(error.message)
        error.show()
        code = UsageError.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; what was committed stays, the same command goes on from there", err=True)
        code = INTERRUPTED
    except VisitgrainError as error:
        code = _report(str(error), error.exit_code, trace="--debug" in given)
    except Exception as error:
        code = _report(f"unexpected {type(error).__name__}: {error}", UNEXPECTED, trace=True)
    sys.exit(code)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """SIGTERM is Ctrl-C: Spark's handler of that one cancels what runs; ours notes it, and frees the locks."""
    handler = signal.getsignal(signal.SIGINT)
    if callable(handler):
        handler(number, frame)
    raise KeyboardInterrupt


def _report(message: str, code: int, *, trace: bool) -> int:
    if trace:
        click.echo(masked(traceback.format_exc()), err=True)
    click.echo(f"error: {masked(message)}", err=True)
    return code
