"""What is installed and shipped. `scripts/build_artefact.py` builds the cluster's zip from this same list."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "([^"]+)"', (HERE / "visitgrain" / "__init__.py").read_text(encoding="utf-8"))

setup(
    name="visitgrain",
    version=VERSION.group(1),
    description="Behaviour analytics for a mobile operator's e-channel, on Spark and Delta",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["visitgrain", "visitgrain.*", "jobs", "pipelines", "conf"]),
    package_data={"conf": ["**/*.yaml", "**/*.md"], "visitgrain.tables": ["columns.json"]},
    include_package_data=False,  # only what is named here, wherever the build runs
    entry_points={"console_scripts": ["visitgrain = visitgrain.cli:main"]},
    install_requires=[
        "pyspark==4.2.0",  # delta-spark and the jars in jars/SHA256SUMS belong to exactly this version
        "delta-spark==4.4.0",
        "deltalake==1.6.6",  # reads and commits the log of a table: docs/adr/0008
        "mlflow[auth]==3.17.2",  # auth: the login of `visitgrain mlflow`
        "pandas<3",  # pyspark 4.2 still calls what pandas 3 removed
        "pyarrow",
        "polars==2.1.0",  # runs inside executors: driver and workers must agree
        "pydantic>=2.14,<3",
        "pyyaml>=6",
        "click>=8.2,<9",
        "scikit-learn>=1.9",  # logistic regression, isotonic regression
        "scipy>=1.17",
        "lightgbm==4.7.0",  # what mlflow 3.17 is tested with
        "xgboost-cpu==3.2.0",  # xgboost with its Spark trainer, without 126 MB of GPU code: docs/adr/0015
        "optuna==5.0.0",
        "matplotlib>=3.11",
        "zstandard",
        "packaging",
        "cryptography",  # AES-SIV seals the numbers in refused rows; mlflow brings it anyway
    ],
    extras_require={
        "postgres": ["psycopg[binary]>=3.3"],  # of the tracking server; SQLAlchemy 2.1 asks for psycopg 3
        "dev": [
            "psycopg[binary]>=3.3",
            "pytest",
            "pytest-timeout",
            "pytest-xdist",
            "hypothesis",
            "ruff",
            "mypy",
            "duckdb==2.0.0",  # oracle and rival in tests and benchmark; 2.0 changed the Python API
            "setuptools>=77",  # builds the artefact for spark-submit.sh
        ],
    },
)
