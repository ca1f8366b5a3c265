"""deploy/: what can be known of the image and the pods without a cluster."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
DOCKERFILE = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
PODS = ("driver-pod.yaml", "executor-pod.yaml")
TARGETS = ("conf/targets/standalone.conf", "conf/targets/yarn.conf", "conf/targets/kubernetes.conf")


def instructions() -> list[tuple[str, str]]:
    """(KEYWORD, rest) of the Dockerfile, continued lines joined."""
    joined = re.sub(r"\\\n", " ", DOCKERFILE)
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines() if line and not line.startswith("#")]


def documents(name: str) -> list[dict]:
    return list(yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8")))


def test_the_image_is_pinned_small_and_not_root():
    found = instructions()
    base = [rest for keyword, rest in found if keyword == "FROM"]
    assert all(re.search(r":\d", image) for image in base), "a tag with a version"
    assert [rest for keyword, rest in found if keyword == "USER"][-1] == "10185"
    assert not [keyword for keyword, _ in found if keyword in ("ADD", "MAINTAINER")]
    installs = [rest for keyword, rest in found if keyword == "RUN" and "apt-get install" in rest]
    assert all("--no-install-recommends" in rest and "rm -rf /var/lib/apt/lists" in rest for rest in installs)
    pips = [rest for keyword, rest in found if keyword == "RUN" and "pip install" in rest]
    assert all("--no-cache-dir" in rest and "-c constraints.txt" in rest for rest in pips)
    assert not re.search(r"https?://|secret|password", "\n".join(rest for _, rest in found))


def test_all_that_the_image_copies_is_there_and_let_in():
    allowed = (FOLDER / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    for keyword, rest in instructions():
        if keyword != "COPY":
            continue
        for source in rest.split()[:-1]:
            assert source.startswith("build/") or list(ROOT.glob(source)), source
            assert f"!{source}" in allowed, source


def test_submit_and_image_agree_on_paths(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import submit

    assert "WORKDIR /opt/visitgrain" in DOCKERFILE
    assert submit.IN_IMAGE == "local:///opt/visitgrain"
    assert submit.IMAGE_PYTHON == "/usr/local/bin/python3"  # of the official image of Python


@pytest.mark.parametrize("name", PODS)
def test_pods_run_without_rights(name):
    [pod] = documents(name)
    spec = pod["spec"]
    assert (pod["kind"], spec["securityContext"]["runAsNonRoot"], spec["securityContext"]["runAsUser"]) == (
        "Pod",
        True,
        10185,
    )
    for container in (*spec["containers"], *spec.get("initContainers", [])):
        assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
        assert mounted <= {volume["name"] for volume in spec.get("volumes", [])}


def test_the_key_arrives_as_a_file_of_its_owner(tmp_path):
    """The init container's own command, on folders of this machine."""
    [pod] = documents("driver-pod.yaml")
    [init] = pod["spec"]["initContainers"]
    shell, flag, script = init["command"]
    script = script.replace("/mounted/", f"{tmp_path}/mounted/").replace("/run/visitgrain/", f"{tmp_path}/run/")
    for folder in ("mounted", "run"):
        (tmp_path / folder).mkdir()
    assert subprocess.run([shell, flag, script], check=False).returncode == 0  # no key: nothing to do
    (tmp_path / "mounted" / "pseudonym_secret").write_text("k" * 32)
    (tmp_path / "mounted" / "pseudonym_secret").chmod(0o440)
    assert subprocess.run([shell, flag, script], check=False).returncode == 0
    assert (tmp_path / "run" / "pseudonym_secret").stat().st_mode & 0o777 == 0o600


def test_rights_are_of_one_namespace():
    kinds = [document["kind"] for document in documents("rights.yaml")]
    assert kinds == ["Namespace", "ServiceAccount", "Role", "RoleBinding"]
    assert {d["metadata"].get("namespace", d["metadata"]["name"]) for d in documents("rights.yaml")} == {"visitgrain"}


def stub(folder: Path, name: str) -> None:
    """A program that prints its arguments, one per line."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nexit 3\n', encoding="utf-8")
    (folder / name).chmod(0o755)


def entrypoint(tmp_path: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    stub(tmp_path / "spark" / "bin", "spark-submit")
    stub(tmp_path / "java" / "bin", "java")
    homes = {"SPARK_HOME": str(tmp_path / "spark"), "JAVA_HOME": str(tmp_path / "java"), "PATH": os.environ["PATH"]}
    command = ["bash", str(FOLDER / "entrypoint.sh"), *arguments]
    return subprocess.run(command, env={**homes, **environ}, capture_output=True, text=True, check=False)


def test_the_driver_of_the_image_is_spark_submit(tmp_path):
    done = entrypoint(
        tmp_path, "driver", "--properties-file", "/f", "local:///m.py", "a b", SPARK_DRIVER_BIND_ADDRESS="1.2.3.4"
    )
    assert done.returncode == 3  # the exit code of the application
    lines = done.stdout.splitlines()
    assert lines[:4] == ["--conf", "spark.driver.bindAddress=1.2.3.4", "--deploy-mode", "client"]
    assert lines[4:] == ["--properties-file", "/f", "local:///m.py", "a b"]


def test_the_executor_of_the_image_is_sparks_backend(tmp_path):
    given = {
        "SPARK_EXECUTOR_MEMORY": "2g",
        "SPARK_DRIVER_URL": "spark://driver",
        "SPARK_EXECUTOR_ID": "7",
        "SPARK_EXECUTOR_CORES": "2",
        "SPARK_APPLICATION_ID": "app",
        "SPARK_EXECUTOR_POD_IP": "10.0.0.9",
        "SPARK_RESOURCE_PROFILE_ID": "0",
        "SPARK_EXECUTOR_POD_NAME": "pod",
        "SPARK_JAVA_OPT_0": "-Da=1 2",
        "SPARK_JAVA_OPT_10": "-Dc=3",
        "SPARK_JAVA_OPT_2": "-Db=2",
    }
    lines = entrypoint(tmp_path, "executor", **given).stdout.splitlines()
    assert lines[:5] == ["-Da=1 2", "-Db=2", "-Dc=3", "-Xms2g", "-Xmx2g"]
    assert lines[lines.index("-cp") + 1] == f"{tmp_path}/spark/jars/*"
    assert lines[lines.index("--executor-id") + 1] == "7"


def test_the_backend_is_in_the_pinned_spark():
    import zipfile

    import pyspark

    [jar] = (Path(pyspark.__file__).parent / "jars").glob("spark-kubernetes_*.jar")
    name = "org/apache/spark/scheduler/cluster/k8s/KubernetesExecutorBackend.class"
    assert name in zipfile.ZipFile(jar).namelist()


@pytest.mark.parametrize("name", TARGETS)
def test_target_files_hold_spark_properties_and_no_secret(monkeypatch, name):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    from submit_options import read_properties
    from submit_secrets import is_secret

    found = read_properties(ROOT / name)
    assert all(key.startswith("spark.") and value for key, value in found.items())
    assert not [key for key in found if is_secret(key)]
