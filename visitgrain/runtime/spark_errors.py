"""One line for the user from what Spark or the JVM throws."""

from __future__ import annotations

import re

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import AnalysisException, PySparkException, PythonException

from visitgrain.errors import JobFailed, Locked, VisitgrainError

_LITERAL = re.compile(r"'[^'\n]*'")
_CONFLICTS = ("ConcurrentAppendException", "ConcurrentModificationException", "DELTA_CONCURRENT")


def as_visitgrain_error(error: BaseException, *, doing: str) -> VisitgrainError:
    """`error` as one of our own classes, with what was being done in front."""
    if isinstance(error, VisitgrainError):
        return type(error)(f"{doing}: {error}")
    line = one_line(error)
    if any(name in line for name in _CONFLICTS):
        return Locked(f"{doing}: another writer changed the table meanwhile ({line}); run the command again")
    return JobFailed(f"{doing}: {line}; --debug shows the whole trace")


def one_line(error: BaseException) -> str:
    """Condition and first line. Values from rows are cut out: they may be a subscriber's."""
    if isinstance(error, AnalysisException):  # about names and types, before any row is read
        return _first_line(str(error))
    if isinstance(error, PythonException):  # a traceback of the worker; what was raised stands at its end
        return _LITERAL.sub("'…'", _first_line("\n".join(_raised(str(error)))))
    if isinstance(error, PySparkException):
        return _LITERAL.sub("'…'", _first_line(str(error)))
    if isinstance(error, Py4JJavaError):
        return _LITERAL.sub("'…'", _first_line(str(error.java_exception)))
    if isinstance(error, Py4JError | ConnectionRefusedError):  # of what Py4J asks after the first error, the second
        return "the connection to Spark's JVM broke; it may have been killed or run out of memory"
    return f"{type(error).__name__}: {_first_line(str(error))}"


def _raised(traceback: str) -> list[str]:
    """Lines of a traceback that are neither its heading nor a place in the code, the last first."""
    return [line for line in reversed(traceback.splitlines()) if line and not line.startswith(("Traceback", " "))]


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "no message")[:500]
