"""The top of a Python file, from its text alone: which names it binds, and by which statements."""

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

LAB = __name__.partition(".")[0]
"""The package of the lab itself."""

Chain = tuple[str, ...]
"""A name of the module and the attributes asked of it: `np.linalg.norm` is ("np", "linalg", "norm")."""


@dataclass(frozen=True)
class Alias:
    """What an import binds: a module, or a name in one."""

    module: str
    """Absolute."""
    name: str | None = None
    """None: the module itself."""


@dataclass
class SourceTree:
    """The names that a module binds, by the statements that bind them."""

    statements: list[ast.stmt] = field(default_factory=list)
    binds: dict[str, list[int | Alias]] = field(default_factory=dict)
    """Name -> the statements that define or change it, and what imports give it."""
    effects: list[int] = field(default_factory=list)
    """Statements that bind nothing and change nothing of this module: importing it does something elsewhere."""
    stars: list[str] = field(default_factory=list)
    """Modules of which all names are imported."""


@lru_cache(maxsize=1024)
def read_tree(text: bytes, package: str) -> SourceTree:
    """The top of a module; `package` is what its relative imports start from. Raises SyntaxError."""
    tree = SourceTree()
    for statement in ast.parse(text).body:
        _add(tree, statement, package)
    return tree


def _add(tree: SourceTree, statement: ast.stmt, package: str) -> None:
    if isinstance(statement, ast.Import | ast.ImportFrom):
        _add_imports(tree, statement, package)
    elif isinstance(statement, ast.If) and _is_for_types(statement.test):
        for inner in statement.body:
            if isinstance(inner, ast.Import | ast.ImportFrom):
                _add_imports(tree, inner, package)
        for inner in statement.orelse:
            _add(tree, inner, package)
    elif not (says_nothing(statement) or _is_main(statement) or _registers(statement, tree)):
        _add_statement(tree, statement, package)


def _add_imports(tree: SourceTree, statement: ast.Import | ast.ImportFrom, package: str) -> None:
    for name, alias in imported(statement, package):
        if name == "*":
            tree.stars.append(alias.module)
        else:
            tree.binds.setdefault(name, []).append(alias)


def _add_statement(tree: SourceTree, statement: ast.stmt, package: str) -> None:
    place = len(tree.statements)
    tree.statements.append(statement)
    nodes = own_nodes([statement])
    bound = bound_by(nodes)
    # `attend.defvjp(...)` and `TABLE[key] = ...` are part of what they change.
    changed = [] if _only_binds(statement) else [name for name in _mentioned(statement) if _is_defined(name, tree)]
    for name in dict.fromkeys([*bound, *changed]):
        tree.binds.setdefault(name, []).append(place)
    if not bound and not (isinstance(base := _acted_on(statement), ast.Name) and _is_defined(base.id, tree)):
        tree.effects.append(place)
    for inner in nodes:
        if isinstance(inner, ast.Import | ast.ImportFrom):
            _add_imports(tree, inner, package)


def _only_binds(statement: ast.stmt) -> bool:
    """Whether it is a definition, or gives values to plain names."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    names = [one for target in targets if target for one in ast.walk(target) if isinstance(one, ast.expr)]
    plain = all(isinstance(one, ast.Name | ast.Tuple | ast.List | ast.Starred) for one in names)
    gives = isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign)
    return isinstance(statement, SCOPES) or (gives and plain)


def _mentioned(statement: ast.stmt) -> list[str]:
    return list(dict.fromkeys(node.id for node in ast.walk(statement) if isinstance(node, ast.Name)))


def _is_defined(name: str, tree: SourceTree) -> bool:
    return any(isinstance(place, int) for place in tree.binds.get(name, ()))


def _acted_on(statement: ast.stmt) -> ast.expr | None:
    """`attend` of `attend.defvjp(...)`, `TABLE` of `TABLE[key] = ...`; None for anything else."""
    node: Any = None
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        node = statement.value.func
    elif isinstance(statement, ast.Assign | ast.AugAssign):
        node = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node


def _registers(statement: ast.stmt, tree: SourceTree) -> bool:
    """Whether it is `register(...)`: the settings in it are in each cell's own."""
    if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)):
        return False
    chain = chain_of(statement.value.func) or ("",)
    origins = [one for one in tree.binds.get(chain[0], ()) if isinstance(one, Alias)]
    return any((one.name or chain[-1]) == "register" and one.module.partition(".")[0] == LAB for one in origins)


def imported(statement: ast.Import | ast.ImportFrom, package: str) -> Iterator[tuple[str, Alias]]:
    """Each name that an import binds, and what it is."""
    for one in statement.names:
        if isinstance(statement, ast.ImportFrom):
            yield one.asname or one.name, Alias(_absolute(statement, package), one.name)
        elif one.asname:
            yield one.asname, Alias(one.name)
        else:
            yield one.name.partition(".")[0], Alias(one.name.partition(".")[0])


def _absolute(statement: ast.ImportFrom, package: str) -> str:
    if not statement.level:
        return statement.module or ""
    above = package.split(".")[: len(package.split(".")) - statement.level + 1]
    return ".".join([*above, *filter(None, [statement.module])])


def _is_for_types(test: ast.expr) -> bool:
    return ast.unparse(test).rpartition(".")[2] == "TYPE_CHECKING"


def _is_main(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and ast.unparse(statement.test) == "__name__ == '__main__'"


def says_nothing(statement: ast.stmt) -> bool:
    """Whether it is a docstring, or stands where one would."""
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def own_nodes(roots: Sequence[ast.AST]) -> list[ast.AST]:
    """The nodes of a scope, without what stands in a function, class or comprehension inside it, but for `:=`."""
    left, found = list(reversed(roots)), []
    while left:
        node = left.pop()
        found.append(node)
        if isinstance(node, COMPREHENSIONS):
            found += [inner for inner in ast.walk(node) if isinstance(inner, ast.NamedExpr)]
        elif not isinstance(node, SCOPES):
            left += reversed(list(ast.iter_child_nodes(node)))
    return found


def bound_by(nodes: Iterable[ast.AST]) -> list[str]:
    """The names that the nodes of one scope bind."""
    names: dict[str, None] = {}
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            names[node.id] = None
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names[node.name] = None
        elif isinstance(node, ast.NamedExpr):
            names[node.target.id] = None
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            names[node.name] = None
        elif isinstance(node, ast.MatchMapping) and node.rest:
            names[node.rest] = None
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names.update(dict.fromkeys(name for name, _ in imported(node, "")))
    return list(names)


def chain_of(node: ast.expr) -> Chain | None:
    """`a.b.c` as its names; None for what is no name and attributes of it."""
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    return (node.id, *reversed(attributes)) if isinstance(node, ast.Name) else None
