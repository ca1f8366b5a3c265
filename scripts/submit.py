"""What spark-submit.sh runs: one command line for local, Spark standalone, YARN and Kubernetes.

Composes the command, refuses what cannot work or would show a secret, and passes the exit code of the application on.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import fetch_jars
from build_artefact import ARTEFACT, build
from submit_options import Refused, Request, parse
from submit_secrets import refuse_secrets

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".venv" / "bin" / "python"
ENVIRONMENT = ROOT / "build" / "environment.tar.gz"  # scripts/pack_environment.py makes it
IN_IMAGE = "local:///opt/visitgrain"  # deploy/kubernetes/Dockerfile puts artefact, jars and main program there
IMAGE_PYTHON = "/usr/local/bin/python3"
SOURCES = ("setup.py", "visitgrain", "jobs", "pipelines", "conf")
# How a client in cluster mode says what became of the driver: YARN's diagnostics, the last state of the driver's pod.
TOLD = {"yarn": r"User application exited with status (\d+)", "kubernetes": r"(?i)exit code: (\d+)"}
UNKNOWN_FAILURE = 6
USAGE, CONFIGURATION = 2, 3


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Exit code of the application, or of the refusal."""
    try:
        request = parse(arguments, ROOT)
        refuse_secrets(request)
        check_target(request, environ)
        check_jars(ROOT / "jars")
        environment = environment_of(request, environ)
        build_when_stale()
    except Refused as refusal:
        print(f"spark-submit.sh: {refusal}", file=sys.stderr)
        return refusal.code
    command = command_of(request, environ)
    if request.dry_run:
        print(shlex.join(command))
        return 0
    sys.stdout.flush()
    if not request.in_cluster:
        os.execve(command[0], command, environment)
    return submit(command, environment, TOLD[request.target])


def check_target(request: Request, environ: Mapping[str, str]) -> None:
    """Refuse what the cluster would only refuse after minutes, or with a trace."""
    if request.target == "yarn":
        if not (environ.get("HADOOP_CONF_DIR") or environ.get("YARN_CONF_DIR")):
            raise Refused(
                "--master yarn: HADOOP_CONF_DIR is not set; export it: the folder of yarn-site.xml", CONFIGURATION
            )
        if not request.sets("spark.archives") and not ENVIRONMENT.is_file():
            raise Refused(
                "--master yarn: no build/environment.tar.gz for the nodes; run .venv/bin/python "
                "scripts/pack_environment.py, or name one that is in HDFS: spark.archives in conf/targets/yarn.conf",
                CONFIGURATION,
            )
    if request.target == "kubernetes" and not request.sets("spark.kubernetes.container.image"):
        raise Refused(
            f"--master {request.master}: spark.kubernetes.container.image is not set; build the image "
            "(deploy/kubernetes/Dockerfile) and name it in conf/targets/kubernetes.conf",
            CONFIGURATION,
        )
    for wait in ("spark.yarn.submit.waitAppCompletion", "spark.kubernetes.submission.waitAppCompletion"):
        if request.value(wait) == "false":
            raise Refused(f"{wait}=false: the exit code would be lost; leave it out", USAGE)


def check_jars(folder: Path) -> None:
    """Delta's jars are those of jars/SHA256SUMS, and there is no other Delta beside them."""
    problems = fetch_jars.problems(folder)
    others = sorted({jar.name for jar in folder.glob("*delta-spark_*.jar")} - fetch_jars.wanted().keys())
    problems += [f"{name}: not the Delta of jars/SHA256SUMS; remove it" for name in others]
    if problems:
        listed = "; ".join(problems)
        raise Refused(f"jars/: {listed}. `make setup` fetches the ones this version was tested with", CONFIGURATION)


def build_when_stale() -> None:
    newest = max((f.stat().st_mtime for name in SOURCES for f in _files(ROOT / name)), default=0.0)
    if not ARTEFACT.is_file() or ARTEFACT.stat().st_mtime < newest:
        print(f"package: {build().relative_to(ROOT)}", file=sys.stderr)


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [p for p in path.rglob("*") if "__pycache__" not in p.parts]


def environment_of(request: Request, environ: Mapping[str, str]) -> dict[str, str]:
    """The pinned Spark of .venv on Java 17+, whatever else is installed; the interpreters are named by properties."""
    found = subprocess.run([ROOT / "scripts" / "java_home.sh"], capture_output=True, text=True, check=False)
    if found.returncode:
        raise Refused("Java 17+ not found; run make setup, or set JAVA_HOME", CONFIGURATION)
    kept = {name: value for name, value in environ.items() if name not in ("SPARK_HOME", "PYSPARK_PYTHON")}
    return {**kept, "JAVA_HOME": found.stdout.strip(), "PYSPARK_DRIVER_PYTHON": str(PYTHON)}


def command_of(request: Request, environ: Mapping[str, str]) -> list[str]:
    """A later --conf wins over an earlier one, any of them over the properties file, that over spark-defaults.conf."""
    place = IN_IMAGE if request.target == "kubernetes" and request.in_cluster else None
    jars = [f"{place}/jars/{jar.name}" if place else str(jar) for jar in sorted((ROOT / "jars").glob("*.jar"))]
    artefact = f"{place}/visitgrain.zip" if place else str(ARTEFACT)
    program = f"{place}/submit_main.py" if place else str(ROOT / "scripts" / "submit_main.py")
    defaults = {"spark.ui.showConsoleProgress": "false", "spark.log.level": "WARN", **pod_templates(request)}
    command = [str(ROOT / ".venv" / "bin" / "spark-submit")]
    command += ["--master", request.master, "--deploy-mode", request.mode, "--name", "visitgrain"]
    if request.properties:
        command += ["--properties-file", str(request.properties), "--load-spark-defaults"]
    command += _confs({name: value for name, value in defaults.items() if not request.sets(name)})
    command += request.options
    command += ["--jars", ",".join([*jars, *request.jars]), "--py-files", ",".join([artefact, *request.py_files])]
    if request.target == "yarn" and not request.sets("spark.archives"):
        command += ["--archives", f"{ENVIRONMENT}#environment"]
    command += _confs({**interpreters(request, environ), **waiting(request)})
    settings = ["--env", request.environment] if request.environment else []
    return [*command, program, *settings, "--set", "master=null", *request.command]  # null: as spark-submit says


def pod_templates(request: Request) -> dict[str, str]:
    if request.target != "kubernetes":
        return {}
    folder = ROOT / "deploy" / "kubernetes"
    roles = ("driver", "executor")
    return {f"spark.kubernetes.{role}.podTemplateFile": str(folder / f"{role}-pod.yaml") for role in roles}


def interpreters(request: Request, environ: Mapping[str, str]) -> dict[str, str]:
    """The default would be whatever `python3` each machine finds first."""
    here = str(PYTHON)
    of_target = {"yarn": "./environment/bin/python", "kubernetes": IMAGE_PYTHON}
    worker = of_target.get(request.target) or environ.get("PYSPARK_PYTHON") or here
    return {"spark.pyspark.python": worker, "spark.pyspark.driver.python": worker if request.in_cluster else here}


def waiting(request: Request) -> dict[str, str]:
    """In cluster mode the client stays until the end: it is the one that knows the exit code."""
    if not request.in_cluster:
        return {}
    of_target = {
        "yarn": "spark.yarn.submit.waitAppCompletion",
        "kubernetes": "spark.kubernetes.submission.waitAppCompletion",
    }
    return {of_target[request.target]: "true"}


def _confs(properties: Mapping[str, str]) -> list[str]:
    return [word for name, value in properties.items() for word in ("--conf", f"{name}={value}")]


def submit(command: Sequence[str], environment: Mapping[str, str], told: str) -> int:
    """Run to the end, show what the client says, and return the exit code it tells of the driver.

    Spark's own exit code is 1 for any failure on YARN, and 0 even for a failed driver on Kubernetes.
    """
    code = None
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: an orchestrator's way
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, errors="replace") as client:
        try:
            for line in client.stderr or ():
                sys.stderr.write(line)
                if found := re.search(told, line):
                    code = code or int(found.group(1))  # of several containers, the one that failed
        except KeyboardInterrupt:
            client.terminate()
            print("spark-submit.sh: stopped waiting; the driver in the cluster goes on", file=sys.stderr)
            return 130
    if code is not None and (code or not client.returncode):
        return code
    silent = client.returncode == 0 and told == TOLD["yarn"]  # YARN's client fails where the driver did
    if not silent:
        print(
            "spark-submit.sh: the client did not tell how the driver ended; see its log in the cluster", file=sys.stderr
        )
    return 0 if silent else UNKNOWN_FAILURE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
