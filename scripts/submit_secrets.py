"""A command line is seen by every user of a machine, and kept in logs and histories: no secret may be on it."""

from __future__ import annotations

import re
import stat

from submit_options import CONFIGURATION_CODE, Refused, Request

# The names that Spark hides in logs and pages: visitgrain/runtime/session.py says the same.
SECRET = re.compile(r"(?i)secret|password|token|access[.]?key|hmac|salt|credential|private")
# They name a file, a mount, a key of a Kubernetes secret or a class: where the secret is, not what it is.
_BY_REFERENCE = re.compile(r"(?i)(file|path|provider|enabled)$|\.secrets\.|secretkeyref")
_NAME = re.compile(r"([A-Za-z][\w.-]*)=")
_LOGIN = re.compile(r"://[^/@\s:]+:[^/@\s]+@")
FIX = "put it into a file of Spark properties with mode 0600 and name that: --load-spark-defaults FILE"


def is_secret(name: str) -> bool:
    return bool(SECRET.search(name)) and not _BY_REFERENCE.search(name)


def refuse_secrets(request: Request) -> None:
    """Raises Refused, without the value."""
    for word in (*request.options, *request.command):
        for name in _NAME.findall(word):
            if is_secret(name):
                raise Refused(f"{name}=…: a secret on a command line is seen by every user of the machine; {FIX}")
        if _LOGIN.search(word):
            raise Refused(
                "a URI with user:password@ on a command line is seen by every user of the machine; put it into conf/"
            )
    in_file = [name for name in request.in_file if is_secret(name)]
    if not in_file or request.properties is None:
        return
    mode = stat.S_IMODE(request.properties.stat().st_mode)
    if mode & 0o077:
        raise Refused(
            f"{request.properties}: mode {mode:04o} lets others read {in_file[0]}; allowed is 0600: "
            f"chmod 600 {request.properties}",
            CONFIGURATION_CODE,
        )
    if request.target == "kubernetes" and request.in_cluster:
        raise Refused(
            f"{request.properties}: {in_file[0]}: in cluster mode Kubernetes would keep it in a ConfigMap, readable; "
            "mount a Secret and name its file, e.g. spark.authenticate.secret.file",
            CONFIGURATION_CODE,
        )
