"""Options of pytest: --awq-loader COMMAND makes a test of every case. Without it nothing else is imported."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, named as those of ``awq-conformance run`` are."""
    group = parser.getgroup("awq", "conformance of a loader of AWQ weight files")
    group.addoption("--awq-loader", metavar="COMMAND", help="certify this adapter: each case of the corpus is a test")
    group.addoption("--awq-profile", metavar="NAME", default="core", help="what it is certified for (default: core)")
    group.addoption("--awq-corpus", metavar="DIR", help="corpus folder; default: the one of the package")
    group.addoption("--awq-case", metavar="GLOB", action="append", default=[], help="only cases whose id matches")
    group.addoption("--awq-grade", choices=["exact", "bounded", "functional"], default="exact", help="grade to reach")
    group.addoption("--awq-mode", choices=["both", "one-shot", "serve"], default="both", help="how to call the adapter")
    group.addoption("--awq-seed", metavar="N", type=int, help="seed of the random file; default: a new one")
    group.addoption("--awq-known-failures", metavar="FILE", help="JSON: cases that fail for now are expected to")


def pytest_configure(config: pytest.Config) -> None:
    """Register the cases where a loader is named."""
    if config.getoption("awq_loader"):
        from awq_conformance.pytest_cases import Cases

        config.pluginmanager.register(Cases(config), "awq-cases")
