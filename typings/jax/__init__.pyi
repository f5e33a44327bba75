from collections.abc import Callable
from typing import Any, ParamSpec, TypeAlias, TypeVar

from . import lax as lax
from . import nn as nn
from . import numpy as numpy
from . import tree as tree

Array: TypeAlias = Any
_P = ParamSpec("_P")
_T = TypeVar("_T")

def jit(fun: Callable[_P, _T]) -> Callable[_P, _T]: ...
def value_and_grad(fun: Callable[..., Array]) -> Callable[..., tuple[Array, Any]]: ...
