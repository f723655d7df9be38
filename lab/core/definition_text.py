"""One definition of a Python file: what it says, and which names it uses.

Two texts of a definition have one digest where they differ in nothing that can move a number: layout, comments,
docstrings, annotations of functions without decorators, and the words of errors. Names go by Python's own rules: a
name is local to a function that binds it, and a comprehension is a scope of its own.
"""

import ast
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lab.core.source_trees import (
    COMPREHENSIONS,
    LAB,
    Alias,
    Chain,
    SourceTree,
    bound_by,
    chain_of,
    imported,
    own_nodes,
    says_nothing,
)

MARKS = ("computes_cells", "not_fingerprinted")
"""The decorators of `lab.core.fingerprint_marks`."""

Use = Chain | Alias
"""A name of the module, or what is imported inside a function."""


@dataclass(frozen=True)
class Definition:
    """One statement at the top of a module."""

    digest: str
    uses: tuple[Use, ...]
    """In the order in which they stand there."""


def read_definition(
    statement: ast.stmt,
    tree: SourceTree,
    package: str,
    is_error: Callable[[Chain], bool],
    is_own: Callable[[str], bool],
) -> Definition:
    """One statement; `is_error` says of a name of the module whether it is a class of exceptions, `is_own` of a
    module whether it is followed, so that its name does not count."""
    reader = _Reader(tree, package, is_error, is_own)
    reader.node(statement)
    whole = hashlib.sha256("\0".join(reader.said).encode("utf-8", "surrogatepass"))
    return Definition(whole.hexdigest()[:32], tuple(reader.uses))


class _Reader:
    """Says a tree as a list of words, and notes the names of the module that it uses."""

    def __init__(
        self, tree: SourceTree, package: str, is_error: Callable[[Chain], bool], is_own: Callable[[str], bool]
    ) -> None:
        self._tree, self._package, self._is_error, self._is_own = tree, package, is_error, is_own
        self._scopes: list[set[str]] = []
        self._in_function = False
        self.said: list[str] = []
        self.uses: dict[Use, None] = {}

    def node(self, node: Any) -> None:
        """Say a node, or a list of them."""
        if isinstance(node, list):
            self.said.append(f"[{len(node)}")
            for one in node:
                self.node(one)
        elif not isinstance(node, ast.AST):
            self.said.append(repr(node))
        else:
            special = _SPECIAL.get(type(node))
            special(self, node) if special else self._plain(node)

    def _plain(self, node: ast.AST, without: tuple[str, ...] = ("ctx", "type_comment", "kind")) -> None:
        self.said.append(type(node).__name__)
        for name in node._fields:
            value = getattr(node, name, None)
            # Fields that later versions of Python add are empty.
            if name not in without and value is not None and value != []:
                self.said.append(name)
                self.node(value)
        self.said.append(".")

    def _local(self, name: str) -> bool:
        return any(name in scope for scope in self._scopes)

    def _use(self, chain: Chain) -> None:
        if not self._local(chain[0]) and (chain[0] in self._tree.binds or self._tree.stars):
            self.uses[chain] = None

    def _name(self, node: ast.Name) -> None:
        self.said.append(node.id)
        if isinstance(node.ctx, ast.Load):
            self._use((node.id,))

    def _attribute(self, node: ast.Attribute) -> None:
        if (chain := chain_of(node)) is None:
            self._plain(node)
        else:
            self.said.append(".".join(chain))
            self._use(chain)

    def _call(self, node: ast.Call) -> None:
        chain = chain_of(node.func)
        if chain and not self._local(chain[0]) and self._is_error(chain):
            self.said.append(f"error {'.'.join(chain)}")
        else:
            self._plain(node)

    def _raise(self, node: ast.Raise) -> None:
        # What is raised becomes no number: neither its words nor what makes them.
        self.said.append("raise" if isinstance(node.exc, ast.Call) else f"raise {ast.unparse(node.exc or ast.Pass())}")

    def _assert(self, node: ast.Assert) -> None:
        self.said.append("assert")
        self.node(node.test)

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        """Inside a function: what is imported is used, wherever it lies."""
        for name, alias in imported(node, self._package):
            own = self._is_own(alias.module)
            self.said.append(f"import {alias.name} as {name} from {'' if own else alias.module}")
            self.uses[alias] = None
            if isinstance(node, ast.Import) and own:  # `import lab.core.words` brings in what it names
                self.uses.update({Alias(one.name): None for one in node.names})

    def _global(self, node: ast.Global) -> None:
        self.said.append(f"global {node.names}")
        self.uses.update({(name,): None for name in node.names})

    def _annotated(self, node: ast.AnnAssign) -> None:
        """A field of a class keeps its annotation as text, since dataclasses read it; a variable of a function none."""
        if self._in_function and node.value is not None:
            self._plain(ast.Assign([node.target], node.value))
            return
        self.said.append("local" if self._in_function else f"= {ast.unparse(node.annotation)}")
        self.node(node.target)
        if node.value is not None:
            self.node(node.value)

    def _class(self, node: ast.ClassDef) -> None:
        self.said.append(f"class {node.name}")
        for part in (_without_marks(node.decorator_list), node.bases, node.keywords):
            self.node(part)
        around, self._in_function = self._in_function, False
        body = _telling(node.body)
        if self._package.partition(".")[0] == LAB:  # the marks of somebody's own file are not believed
            body = [one for one in body if not _is_marked(one, "not_fingerprinted")]
        self.node(body)
        self._in_function = around

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.said.append(f"{type(node).__name__} {node.name}")
        decorators = _without_marks(node.decorator_list)
        self.node(decorators)
        self._arguments(node.args, as_text=bool(decorators))
        if decorators and node.returns:  # a decorator may read annotations
            self.said.append(ast.unparse(node.returns))
        with self._scope(node.args, node.body, getattr(node, "type_params", [])):
            self.node(_telling(node.body))

    def _lambda(self, node: ast.Lambda) -> None:
        self.said.append("lambda")
        self._arguments(node.args)
        with self._scope(node.args, [node.body]):
            self.node(node.body)

    def _arguments(self, args: ast.arguments, as_text: bool = False) -> None:
        for kind in ("posonlyargs", "args", "vararg", "kwonlyargs", "kwarg"):
            value = getattr(args, kind)
            every = value if isinstance(value, list) else [value] if value else []
            notes = [f": {ast.unparse(one.annotation)}" if as_text and one.annotation else "" for one in every]
            self.said.append(f"{kind} {[one.arg + note for one, note in zip(every, notes, strict=True)]}")
        self.node(args.defaults)
        self.node(args.kw_defaults)

    @contextmanager
    def _scope(self, args: ast.arguments | None, body: list[Any], parameters: list[Any] = []) -> Iterator[None]:  # noqa: B006
        nodes = own_nodes(body)
        bound = set(bound_by(nodes)) | {one.name for one in parameters}
        if args is not None:
            every = [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg]
            bound |= {one.arg for one in every if one is not None}
        elsewhere = [node for node in nodes if isinstance(node, ast.Global | ast.Nonlocal)]
        bound -= {name for one in elsewhere for name in one.names}
        around, self._in_function = self._in_function, True
        self._scopes.append(bound)
        yield
        self._scopes.pop()
        self._in_function = around

    def _comprehension(self, node: Any) -> None:
        self.said.append(type(node).__name__)
        first = node.generators[0]
        self.node(first.iter)  # outside the new scope
        self._scopes.append(set(bound_by(own_nodes([one.target for one in node.generators]))))
        for one in node.generators:
            self.node(one.target)
            if one is not first:
                self.node(one.iter)
            self.node(one.ifs)
            self.said.append(f"async {one.is_async}")
        for name in ("elt", "key", "value"):
            if hasattr(node, name):
                self.node(getattr(node, name))
        self._scopes.pop()


def _without_marks(decorators: list[ast.expr]) -> list[ast.expr]:
    """The decorators but for those of `lab.core.fingerprint_marks`, which do nothing."""
    chains = [chain_of(one.func if isinstance(one, ast.Call) else one) for one in decorators]
    return [one for one, chain in zip(decorators, chains, strict=True) if (chain or ("",))[-1] not in MARKS]


def _is_marked(statement: ast.stmt, mark: str) -> bool:
    """Whether it is a function with a mark of `lab.core.fingerprint_marks`."""
    decorators = getattr(statement, "decorator_list", [])
    return any((chain_of(one) or ("",))[-1] == mark for one in decorators)


def _telling(body: list[ast.stmt]) -> list[ast.stmt]:
    return [one for one in body if not says_nothing(one)]


_SPECIAL: dict[type, Callable[[_Reader, Any], None]] = {
    ast.Name: _Reader._name,
    ast.Attribute: _Reader._attribute,
    ast.Call: _Reader._call,
    ast.Raise: _Reader._raise,
    ast.Assert: _Reader._assert,
    ast.Import: _Reader._import,
    ast.ImportFrom: _Reader._import,
    ast.Global: _Reader._global,
    ast.AnnAssign: _Reader._annotated,
    ast.ClassDef: _Reader._class,
    ast.FunctionDef: _Reader._function,
    ast.AsyncFunctionDef: _Reader._function,
    ast.Lambda: _Reader._lambda,
    **dict.fromkeys(COMPREHENSIONS, _Reader._comprehension),
}
