"""Small changes of Python code: what ``tools.mutants`` mutates, and how.

:func:`changes` lists every change that can be made of a source, :func:`mutated` makes one. Left alone are annotations,
decorators, base classes, imports, docstrings and other texts.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace

_SKIPPED_FIELDS = {"annotation", "returns", "decorator_list", "bases", "type_params", "type_comment"}

_COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_FUNCTIONS = {"min": "max", "max": "min", "any": "all", "all": "any"}

_LONGEST = 90
"""Characters of a statement that are shown."""

Enums = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Change:
    """One change: the ``nth`` that the node at ``spot`` allows."""

    line: int
    where: str
    """The function, class or table it is in."""
    statement: str
    """The first line of the statement it is in, or as much of it as one can read."""
    before: str
    after: str
    spot: int
    nth: int
    time: int = 1
    """1, or which of several that read alike."""

    def __str__(self) -> str:
        there = "" if self.statement.startswith(self.before) else f" in `{self.statement}`"
        return f"{self.where}: {self.before} -> {self.after}{there}" + f" (no. {self.time})" * (self.time > 1)


@dataclass(frozen=True, slots=True)
class _Spot:
    node: ast.AST
    parent: ast.AST
    field: str
    index: int | None
    where: str
    statement: ast.stmt | None

    def put(self, other: ast.AST) -> None:
        if self.index is None:
            setattr(self.parent, self.field, other)
        else:
            getattr(self.parent, self.field)[self.index] = other


@dataclass(frozen=True, slots=True)
class _Other:
    node: ast.AST
    before: str
    after: str


def changes(source: str) -> list[Change]:
    """Every change of ``source``, in its order."""
    tree = ast.parse(source)
    enums = _enums(tree)
    seen = Counter[str]()
    found = []
    for number, spot in enumerate(_spots(tree)):
        for nth, other in enumerate(_others(spot, enums)):
            line, statement = getattr(spot.node, "lineno", 0), _line(spot.statement)
            change = Change(line, spot.where, statement, other.before, other.after, number, nth)
            seen[str(change)] += 1
            found.append(replace(change, time=seen[str(change)]))
    return found


def mutated(source: str, change: Change) -> ast.Module:
    """``source`` with ``change`` made, ready to compile."""
    tree = ast.parse(source)
    spot = next(spot for number, spot in enumerate(_spots(tree)) if number == change.spot)
    other = list(_others(spot, _enums(tree)))[change.nth].node
    spot.put(ast.copy_location(other, spot.node))
    return ast.fix_missing_locations(tree)


def _enums(tree: ast.Module) -> Enums:
    return {
        node.name: [target.id for item in node.body if isinstance(item, ast.Assign) for target in _names(item)]
        for node in tree.body
        if isinstance(node, ast.ClassDef) and any("Enum" in ast.unparse(base) for base in node.bases)
    }


def _names(item: ast.Assign) -> list[ast.Name]:
    return [target for target in item.targets if isinstance(target, ast.Name)]


def _spots(parent: ast.AST, where: str = "", statement: ast.stmt | None = None) -> Iterator[_Spot]:
    for name, value in ast.iter_fields(parent):
        if name in _SKIPPED_FIELDS or (isinstance(parent, ast.ClassDef) and name == "keywords"):
            continue
        children = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
        for index, child in children:
            if not isinstance(child, ast.AST) or _is_left_alone(child):
                continue
            around = child if isinstance(child, ast.stmt) else statement
            yield _Spot(child, parent, name, index, where, around)
            yield from _spots(child, _inside(child, where), around)


def _inside(node: ast.AST, where: str) -> str:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return f"{where}.{name}" if where else name
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)) if not where:
            return name  # a table of the module
    return where


def _line(statement: ast.stmt | None) -> str:
    if statement is None:
        return ""
    line = ast.unparse(statement).splitlines()[0]
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "..."


def _is_left_alone(node: ast.AST) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


def _others(spot: _Spot, enums: Enums) -> Iterator[_Other]:
    """What may stand at ``spot`` instead."""
    for node in (*_operators(spot.node), *_values(spot.node, enums), *_branches(spot.node)):
        yield _Other(node, ast.unparse(spot.node), ast.unparse(node))
    yield from _left_out(spot.node)
    if _can_be_dropped(spot):
        yield _Other(ast.Pass(), ast.unparse(spot.node), "pass")


def _operators(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.Compare(ops=[op]) if type(op) in _COMPARE:
            yield ast.Compare(node.left, [_COMPARE[type(op)]()], node.comparators)
        case ast.BoolOp(op=op, values=values):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
            yield from values
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            yield ast.BinOp(left, _OPERATORS[type(op)](), right)
            yield left


def _values(node: ast.AST, enums: Enums) -> Iterator[ast.expr]:
    match node:
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield ast.Constant(value + 1)
        case ast.Attribute(value=ast.Name(id=name), attr=member) if member in enums.get(name, []):
            members = enums[name]
            yield ast.Attribute(node.value, members[(members.index(member) + 1) % len(members)], node.ctx)
        case ast.Call(func=ast.Name(id=name)) if name in _FUNCTIONS:
            yield ast.Call(ast.Name(_FUNCTIONS[name], ast.Load()), node.args, node.keywords)


def _branches(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield ast.IfExp(test, orelse, body)
            yield body
            yield orelse


def _left_out(node: ast.AST) -> Iterator[_Other]:
    """A display or call without one of its parts."""
    match node:
        case ast.Set(elts=elements) if len(elements) > 1:
            for n, element in enumerate(elements):
                rest = ast.Set(elements[:n] + elements[n + 1 :])
                yield _Other(rest, f"{{..., {ast.unparse(element)}, ...}}", "left out")
        case ast.Dict(keys=keys, values=values):
            for n, key in enumerate(keys):
                rest_of = ast.Dict(keys[:n] + keys[n + 1 :], values[:n] + values[n + 1 :])
                yield _Other(rest_of, f"{{..., {ast.unparse(key) if key else '**'}: ...}}", "left out")
        case ast.Call(keywords=keywords):
            for n, keyword in enumerate(keywords):
                without = copy(node)
                without.keywords = keywords[:n] + keywords[n + 1 :]
                yield _Other(without, f"{ast.unparse(node.func)}(..., {ast.unparse(keyword)})", "left out")


def _can_be_dropped(spot: _Spot) -> bool:
    match spot.node:
        case ast.Expr() | ast.AugAssign():
            return True
        case ast.Assign(targets=[ast.Attribute(), *_]):
            return True
        case ast.Return():
            return isinstance(spot.parent, ast.If)
    return False
