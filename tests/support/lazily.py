"""A large library that few tests use: imported when it is first used, not by every process that collects tests."""

import importlib
from typing import Any


class Lazily:
    """Stands for a module. A test runner that looks over the names of a file does not import it."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(importlib.import_module(self._module), name)
