"""What keeps the repository readable, derived from the tree: nothing here lists modules, jobs or tables by hand."""

from __future__ import annotations

import ast
import importlib.util
import pkgutil
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from visitgrain.cli.discovery import discovered_jobs, discovered_pipelines
from visitgrain.docs import generate
from visitgrain.tables import TABLES, Kind, runs

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("visitgrain", "jobs", "pipelines", "conf")
# Packages of visitgrain that are not a domain, with what they may import besides themselves.
# A name may import everything right of it; domains share one rank and do not see each other.
BASE = (
    "visitgrain.expressions",
    "visitgrain.arrow",
    "visitgrain.catalogue",
    "visitgrain.tables",
    "visitgrain.span",
    "visitgrain.errors",
)
NOT_DOMAINS = {"arrow", "catalogue", "cli", "docs", "expressions", "runtime", "tables"}


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imported(path: Path) -> set[str]:
    """Modules that `path` imports anywhere in it; the repository has no relative imports."""
    names: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import; name the package"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def layer_of(module: str) -> str:
    """'jobs', 'visitgrain.tables', 'visitgrain.visits' … of a dotted name."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "visitgrain" and len(parts) > 1 else parts[0]


def allowed(layer: str) -> set[str]:
    """Layers of this repository that `layer` may import."""
    below = set(BASE[BASE.index(layer) :]) if layer in BASE else {layer, *BASE}
    domains = {f"visitgrain.{path.name}" for path in (ROOT / "visitgrain").iterdir() if path.is_dir()} - {
        f"visitgrain.{name}" for name in NOT_DOMAINS
    }
    above = {
        "visitgrain.docs": {"visitgrain.docs", "visitgrain.catalogue", "visitgrain.tables", "visitgrain.errors"},
        "jobs": {"jobs", "visitgrain.runtime", *domains, *BASE},
        "pipelines": {"pipelines", "jobs", "visitgrain.runtime", "visitgrain.tables"},
        "visitgrain.cli": {
            "visitgrain.cli",
            "visitgrain.docs",
            "visitgrain.runtime",
            "pipelines",
            "jobs",
            *domains,
            *BASE,
        },
    }
    return above.get(layer, below) | {"visitgrain", "visitgrain.__version__"}


def test_imports_point_one_way():
    wrong = []
    for path in python_files("visitgrain", "jobs", "pipelines"):
        layer = layer_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for name in imported(path):
            if name.split(".")[0] in SHIPPED and layer_of(name) not in allowed(layer):
                wrong.append(f"{path.relative_to(ROOT)} ({layer}) imports {name}")
    assert not wrong, "\n".join(wrong)


def test_catalogue_tables_and_docs_know_no_spark():
    for package in ("catalogue", "tables", "docs"):
        for path in python_files(f"visitgrain/{package}"):
            engines = {
                name for name in imported(path) if name.split(".")[0] in ("pyspark", "delta", "polars", "mlflow")
            }
            assert not engines, f"{path.relative_to(ROOT)} imports {engines}"


def test_no_module_over_300_lines():
    sizes = {
        str(p.relative_to(ROOT)): len(p.read_text().splitlines())
        for p in python_files(*SHIPPED, "tests", "scripts", "bench")
    }
    assert {name: size for name, size in sizes.items() if size > 300} == {}


def test_a_job_file_is_named_as_its_job_and_shadows_nothing():
    for info in pkgutil.iter_modules([str(ROOT / "jobs")]):
        module = importlib.import_module(f"jobs.{info.name}")
        job = getattr(module, "JOB", None)  # ingest reads files, not tables: it has a NAME instead
        assert info.name == (job.name if job else module.NAME)
        assert info.name not in sys.stdlib_module_names


def test_transforms_are_functions_of_domains_also_those_imported_late():
    for job in discovered_jobs().values():
        module = importlib.import_module(job.transform.__module__)
        assert layer_of(module.__name__) in allowed("jobs"), job.name
        assert callable(getattr(module, job.transform.__name__)), job.name


def test_every_job_is_in_a_pipeline():
    used = {job.name for pipeline in discovered_pipelines().values() for job in pipeline.jobs}
    assert set(discovered_jobs()) - used == set()


def test_every_table_has_one_writer():
    writers = Counter((table.name, job.part) for job in discovered_jobs().values() for table in job.writes)
    assert {name: count for name, count in writers.items() if count > 1} == {}


def test_a_job_writes_a_part_of_tables_in_parts():
    """A job without a part says in each row (`_part`) which it belongs to."""
    for job in discovered_jobs().values():
        assert all(job.part in (None, *table.parts) for table in job.writes), job.name
        assert all(read.part in (None, *read.table.parts) for read in job.reads), job.name


def test_every_computed_table_has_a_writer():
    by_ingest = {value.name for value in vars(runs).values() if hasattr(value, "kind")}
    computed = {t.name for t in TABLES.values() if t.kind in (Kind.OUTPUT, Kind.INTERNAL)} - by_ingest
    written = {table.name for job in discovered_jobs().values() for table in job.writes}
    assert computed - written == set()


def calls(path: Path) -> list[ast.Call]:
    return [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)]


def test_joins_name_their_kind():
    """`a.join(b, …)` of DataFrames has two positional arguments at most and a `how=`; text joins have one argument."""
    bare = []
    for path in python_files("visitgrain", "jobs"):
        for call in calls(path):
            is_join = isinstance(call.func, ast.Attribute) and call.func.attr == "join"
            of_frames = is_join and (len(call.args) > 1 or call.keywords)
            if of_frames and "how" not in {keyword.arg for keyword in call.keywords}:
                bare.append(f"{path.relative_to(ROOT)}:{call.lineno}")
    assert bare == []


def test_nothing_executes_what_it_reads():
    """No eval, exec, pickle, shell or unsafe YAML. A yaml.load is fine with a Loader that is a SafeLoader."""
    found = []
    for path in python_files(*SHIPPED, "scripts"):
        place = path.relative_to(ROOT)
        found += [
            f"{place}: pickle"
            for name in imported(path)
            if name.split(".")[0] in ("pickle", "cloudpickle", "dill", "marshal")
        ]
        for call in calls(path):
            name = ast.unparse(call.func)
            keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
            unsafe_yaml = (
                name in ("yaml.load", "yaml.unsafe_load", "yaml.full_load") and keywords.get("Loader") != "_Loader"
            )
            if name in ("eval", "exec", "os.system") or keywords.get("shell") == "True" or unsafe_yaml:
                found.append(f"{place}:{call.lineno}: {name}")
    assert found == []


def test_no_row_at_a_time_python():
    """No `udf`, no `.rdd`, no withColumn inside a loop."""
    found = []
    for path in python_files("visitgrain", "jobs"):
        for node in ast.walk(tree_of(path)):
            attribute = node.attr if isinstance(node, ast.Attribute) else None
            if attribute in ("udf", "rdd", "foreach"):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {attribute}")
            if isinstance(node, ast.For | ast.While):
                found += [
                    f"{path.relative_to(ROOT)}:{inner.lineno}: withColumn in a loop"
                    for inner in ast.walk(node)
                    if isinstance(inner, ast.Attribute) and inner.attr == "withColumn"
                ]
    assert found == []


def test_generated_pages_and_contracts_are_current():
    changed = generate(ROOT, jobs=discovered_jobs().values(), check=True)
    assert not changed, f"run `make docs` and review the diff of: {', '.join(changed)}"


def test_the_artefact_holds_exactly_what_is_installed(tmp_path):
    """Every module of the shipped packages and every YAML and page of conf, nothing else; the same bytes each time."""
    found = importlib.util.spec_from_file_location("build_artefact", ROOT / "scripts" / "build_artefact.py")
    script = importlib.util.module_from_spec(found)
    found.loader.exec_module(script)
    one, two = script.build(tmp_path / "one.zip"), script.build(tmp_path / "two.zip")
    suffixes = {"conf": (".py", ".yaml", ".md")}
    expected = sorted(
        str(path.relative_to(ROOT))
        for package in SHIPPED
        for path in (ROOT / package).rglob("*")
        if path.suffix in suffixes.get(package, (".py", ".json")) and "__pycache__" not in path.parts
    )
    assert sorted(zipfile.ZipFile(one).namelist()) == expected
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("name", ["constraints.txt", "setup.py", "Makefile", "scripts/setup.sh"])
def test_set_up_names_no_package_host(name):
    """Where packages come from is the business of the machine's pip configuration."""
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not [
        word for word in ("http:", "https:", "--index-url", "--extra-index-url", "--find-links") if word in text
    ]
