"""Settings and fixtures of all tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("suite", deadline=None, derandomize=True, max_examples=50, database=None)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file that generated examples overwrite, one after the other."""
    return tmp_path_factory.mktemp("scratch") / "scratch.awq"
