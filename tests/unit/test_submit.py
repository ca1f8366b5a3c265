"""spark-submit.sh: the command per target, what it refuses before anything starts, and the exit code it passes on."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "submit"
RUN = ["--", "run", "daily", "--date", "2026-03-01"]
K8S = ["--master", "k8s://https://10.0.0.1:6443", "--conf", "spark.kubernetes.container.image=visitgrain:1"]
HADOOP = {"HADOOP_CONF_DIR": "/etc/hadoop"}


@pytest.fixture
def submit(monkeypatch, tmp_path):
    """The module behind spark-submit.sh, with an environment archive that is there and an artefact that is fresh."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import submit

    archive = tmp_path / "environment.tar.gz"
    archive.touch()
    monkeypatch.setattr(submit, "ENVIRONMENT", archive)
    monkeypatch.setattr(submit, "build_when_stale", lambda: None)
    return submit


@pytest.fixture
def run(submit, capsys, tmp_path):
    """Exit code, output and errors of a command line."""

    def call(*arguments: str, **environ: str) -> tuple[int, str, str]:
        code = submit.main(arguments, {"PATH": "/usr/bin:/bin", **environ})
        captured = capsys.readouterr()
        return code, captured.out.replace(str(tmp_path), "BUILD").replace(str(ROOT), "ROOT"), captured.err

    return call


CASES = {
    "local": ["--master", "local[2]", "--driver-memory", "3g"],
    "standalone": ["--master", "spark://host:7077", "--conf", "spark.cores.max=8"],
    "yarn-client": ["--master", "yarn"],
    "yarn-cluster": ["--master", "yarn", "--deploy-mode", "cluster", "--env", "local"],
    "kubernetes-client": K8S,
    "kubernetes-cluster": [*K8S, "--deploy-mode=cluster", "--jars", "local:///opt/more.jar"],
}


@pytest.mark.parametrize("case", CASES)
def test_the_command_of_each_target(run, case):
    """One word per line; Delta's jars as one word. To renew after a change: write what the failure shows."""
    code, out, err = run(*CASES[case], "--dry-run", *RUN, **HADOOP)
    assert (code, err) == (0, "")
    jars = ",".join(sorted(f"JARS/{jar.name}" for jar in (ROOT / "jars").glob("*.jar")))
    words = [
        w.replace("ROOT/jars/", "JARS/").replace("local:///opt/visitgrain/jars/", "JARS/") for w in shlex.split(out)
    ]
    shown = "\n".join(word.replace(jars, "DELTA") for word in words) + "\n"
    file = GOLDEN / f"{case}.txt"
    assert shown == file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--deploy-mode", "cluster", "--", "status"], 2, "Spark standalone runs no Python driver on a worker"),
        (
            ["--master", "spark://h:1", "--deploy-mode=cluster", "--", "status"],
            2,
            "Spark standalone runs no Python driver",
        ),
        (["--deploy-mode", "moon", "--", "status"], 2, "use client or cluster"),
        (["--master", "mesos://h:1", "--", "status"], 2, "use local[N], local[*], spark://host:port, yarn or k8s://"),
        (["--master", "--", "status"], 2, "--master needs a value"),
        (["--master", "local[2]"], 2, "no command after --"),
        (["--master", "yarn", "--", "status"], 3, "HADOOP_CONF_DIR is not set"),
        (["--master", "k8s://h:1", "--", "status"], 3, "spark.kubernetes.container.image is not set"),
        (["--load-spark-defaults", "nowhere", "--", "status"], 3, "nowhere: no such file"),
        (
            [
                *K8S,
                "--deploy-mode",
                "cluster",
                "--conf",
                "spark.kubernetes.submission.waitAppCompletion=false",
                "--",
                "x",
            ],
            2,
            "the exit code would be lost",
        ),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else None,
)
def test_what_cannot_be_submitted_is_refused_before_spark_starts(run, arguments, code, message):
    found, out, err = run(*arguments)
    assert (found, out) == (code, "")
    assert message in err


def test_yarn_without_its_python_is_refused(run, submit, monkeypatch, tmp_path):
    monkeypatch.setattr(submit, "ENVIRONMENT", tmp_path / "none.tar.gz")
    code, _, err = run("--master", "yarn", "--dry-run", *RUN, **HADOOP)
    assert (code, "scripts/pack_environment.py" in err) == (3, True)
    in_hdfs = ["--conf", "spark.archives=hdfs:///env.tar.gz#environment"]
    code, out, _ = run("--master", "yarn", *in_hdfs, "--dry-run", *RUN, **HADOOP)  # control
    assert (code, "--archives" in out) == (0, False)


SECRETS = [
    ["--conf", "spark.authenticate.secret=XYZ"],
    ["--conf=spark.hadoop.fs.s3a.secret.key=XYZ"],
    ["-c", "spark.ssl.keyStorePassword=XYZ"],
    ["--conf", "spark.hadoop.fs.s3a.access.key=XYZ"],
    ["--driver-java-options", "-Da=1 -Djavax.net.ssl.trustStorePassword=XYZ"],
    ["--conf", "spark.executorEnv.API_TOKEN=XYZ"],
]
IN_COMMAND = [
    ["--set", "pseudonym_secret=XYZ"],
    ["--set=mlflow_uri=postgresql://me:XYZ@host/db"],
    ["--lake", "s3a://k:XYZ@b/"],
]
REFERENCES = [
    "spark.authenticate.secret.file=/run/key",
    "spark.kubernetes.driver.secrets.visitgrain=/mounted",
    "spark.kubernetes.driver.secretKeyRef.KEY=visitgrain:key",
    "spark.hadoop.fs.s3a.aws.credentials.provider=Chain",
    "spark.kubernetes.authenticate.submission.oauthTokenFile=/run/token",
]


@pytest.mark.parametrize("words", [*SECRETS, *IN_COMMAND], ids=" ".join)
def test_a_secret_on_the_command_line_is_refused_and_not_repeated(run, words):
    before, after = (words, ["status"]) if words in SECRETS else ([], [*words, "status"])
    code, out, err = run(*before, "--dry-run", "--", *after)
    assert (code, out) == (2, "")
    assert "seen by every user of the machine" in err
    assert "XYZ" not in err


@pytest.mark.parametrize("pair", REFERENCES)
def test_where_a_secret_is_may_be_said(run, pair):
    assert run("--conf", pair, "--dry-run", *RUN)[0] == 0


def test_a_file_with_a_secret_is_its_owners_alone(run, tmp_path):
    file = tmp_path / "cluster.conf"
    file.write_text("# ours\nspark.authenticate true\nspark.authenticate.secret = XYZ\n", encoding="utf-8")
    file.chmod(0o644)
    given = ["--master", "spark://h:1", "--load-spark-defaults", str(file), "--dry-run", *RUN]
    code, _, err = run(*given)
    assert (code, "mode 0644 lets others read spark.authenticate.secret" in err, "XYZ" in err) == (3, True, False)
    file.chmod(0o600)
    code, out, _ = run(*given)
    assert (code, "XYZ" in out) == (0, False)
    to_pods = [*K8S, "--deploy-mode", "cluster", "--load-spark-defaults", str(file), "--dry-run", *RUN]
    code, _, err = run(*to_pods)
    assert (code, "Kubernetes would keep it in a ConfigMap" in err) == (3, True)


def test_the_same_names_are_secret_as_in_spark(submit):
    from submit_secrets import SECRET

    from visitgrain.runtime.session import SAFE

    assert SAFE["spark.redaction.regex"] == SECRET.pattern


def test_other_jars_of_delta_are_refused(submit, tmp_path):
    from submit_options import Refused

    submit.check_jars(ROOT / "jars")  # control
    with pytest.raises(Refused, match=r"delta-spark_4\.2_2\.13-4\.4\.0\.jar: missing.*make setup") as refused:
        submit.check_jars(tmp_path)
    assert refused.value.code == 3
    for jar in (ROOT / "jars").glob("*.jar"):
        (tmp_path / jar.name).symlink_to(jar)
    submit.check_jars(tmp_path)
    (tmp_path / "io.delta_delta-spark_2.13-4.0.0.jar").touch()
    with pytest.raises(Refused, match=r"delta-spark_2\.13-4\.0\.0\.jar: not the Delta of"):
        submit.check_jars(tmp_path)


# What a client says, and its own exit code -> what the script returns. YARN: 1 for any failure; Kubernetes: always 0.
YARN_FAILED = "ERROR Client: Application diagnostics message: User application exited with status 5"
PODS = "INFO LoggingPodStatusWatcherImpl: Container final statuses:\n\t container state: terminated\n\t exit code: "


@pytest.mark.parametrize(
    ("target", "says", "returns", "expected"),
    [
        ("yarn", "INFO Client: Application report: FINISHED", 0, 0),
        ("yarn", YARN_FAILED, 1, 5),
        ("yarn", "ERROR Client: Application application_1_1 was killed", 1, 6),
        ("kubernetes", f"{PODS}0", 0, 0),
        ("kubernetes", f"{PODS}3", 0, 3),
        ("kubernetes", f"{PODS}3\n\t exit code: 0", 0, 3),  # of a sidecar
        ("kubernetes", "INFO Client: pod was deleted", 0, 6),
        ("kubernetes", f"{PODS}0", 1, 6),
    ],
)
def test_the_exit_code_of_a_driver_in_the_cluster_is_passed_on(
    submit, monkeypatch, capfd, target, says, returns, expected
):
    monkeypatch.setattr("signal.signal", lambda *_: None)  # of the script's own process, not of the tests'
    program = f"import sys; sys.stderr.write({says!r} + chr(10)); sys.exit({returns})"
    assert submit.submit([sys.executable, "-c", program], {}, submit.TOLD[target]) == expected
    assert says.splitlines()[-1] in capfd.readouterr().err  # it is shown, too
