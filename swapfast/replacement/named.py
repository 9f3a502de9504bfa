"""A policy of your own by its name: "module:Class", or "file.py:Class".

- ``is_own(name)``: whether a name is of that kind.
- ``own_policy(name)``: the class; each call of it makes a policy.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any

from swapfast.replacement.python_policy import PythonPolicy

__all__ = ["is_own", "own_policy"]


def is_own(name: object) -> bool:
    """Whether a name says where a class is."""
    return isinstance(name, str) and ":" in name


def own_policy(name: str) -> Callable[[], PythonPolicy]:
    """The class of a name.

    Parameters
    ----------
    name : str
        "module:Class" of something that can be imported, the current folder included, or
        "file.py:Class". What stands there is run.

    Returns
    -------
    callable
        Makes a policy; called without arguments, once for each memory.

    Raises
    ------
    ValueError
        No such file, module or class; it is no policy; or it raised, with its file and line.
    """
    place, _, attribute = name.rpartition(":")
    if not place or not attribute:
        raise ValueError(f"policy {name}: it is like module:Class or file.py:Class")
    module = _module(place, name)
    found: Any = getattr(module, attribute, None)
    if found is None:
        raise ValueError(f"policy {name}: {place} has no {attribute}")
    try:
        made = found()
    except Exception as error:
        raise ValueError(f"policy {name}: {_where(error)}") from error
    if not isinstance(made, PythonPolicy):
        lacking = [m for m in ("hit", "enter", "victim") if not callable(getattr(made, m, None))]
        raise ValueError(f"policy {name}: it has no method {', '.join(lacking)}")
    return found  # type: ignore[no-any-return]


def _module(place: str, name: str) -> ModuleType:
    try:
        if not place.endswith(".py"):
            if os.getcwd() not in sys.path:
                sys.path.append(os.getcwd())
            return importlib.import_module(place)
        spec = importlib.util.spec_from_file_location("swapfast_own_policy", place)
        assert spec is not None and spec.loader is not None, "a name in .py has a loader"
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    except FileNotFoundError as error:
        raise ValueError(f"policy {name}: {error.filename}: no such file") from None
    except ModuleNotFoundError as error:
        raise ValueError(f"policy {name}: there is no module {error.name}") from None
    except Exception as error:
        raise ValueError(f"policy {name}: {_where(error)}") from error


def _where(error: Exception) -> str:
    """What was raised, and by which line."""
    said = f"{type(error).__name__}: {error}"
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f.filename != __file__ and not f.filename.startswith("<")]
    return f"{own[-1].filename}:{own[-1].lineno}: {said}" if own else said
