"""Which definitions a piece of code can reach, in the lab and in a user's own files, and one digest of them all.

From the definitions it starts with, the walk follows every name that they use to where it is defined: through imports
at the top and in functions, and through packages that import lazily (by what they import for type checkers). Nothing is
imported for it. Not followed are annotations, what makes the words of an error, and what is marked `not_fingerprinted`.
Modules of Python and of installed libraries end the walk.

The digest is of what the definitions say and of which refers to which: a module or a package may be renamed or moved
without moving it.
"""

import ast
import builtins
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

from lab.core.definition_text import Definition, Use, read_definition
from lab.core.errors import InputError
from lab.core.source_files import file_of, forget_files, lab_modules, package_of, tree_of, users_files_changed
from lab.core.source_trees import LAB, Alias, Chain, SourceTree, chain_of

Place = tuple[str, int]
"""A module, and which of its statements."""
Target = Place | str
"""What a name refers to: a statement that is followed, or the name of something that is not."""
Seen = frozenset[tuple[str, Chain]]


@dataclass(frozen=True)
class CodeUsed:
    """What some definitions can reach."""

    digest: str
    """sha256, as hex."""
    modules: dict[str, str]
    """Module -> a short digest of what is reached of it."""
    places: tuple[Place, ...] = field(repr=False)

    def statements(self) -> Iterator[tuple[str, ast.stmt]]:
        """Module and tree of each definition, in the order in which they are met."""
        yield from ((place[0], _statement(place)) for place in self.places)


def code_used(starts: Sequence[tuple[str, str]]) -> CodeUsed:
    """What can be reached from some names, (module, name), in an order that does not depend on the modules.

    Raises InputError for a name that is not defined at the top of a file that is followed.
    """
    if users_files_changed():
        forget()
    first = tuple(dict.fromkeys(place for module, name in starts for place in _start(module, name)))
    return _walk(first)


def forget() -> None:
    """Read all files anew when they are next asked for."""
    forget_files()
    for cached in (_walk, _targets, _definition, _is_error, computing_code):
        cached.cache_clear()


@cache
def _walk(first: tuple[Place, ...]) -> CodeUsed:
    """Numbers the places in the order in which they are met, which depends on what they say alone."""
    number: dict[Place, int] = {}
    met: list[Place] = []

    def meet(places: Iterable[Place]) -> None:
        for place in places:
            if place not in number:
                number[place] = len(met)
                met.append(place)

    modules: set[str] = set()
    said = hashlib.sha256()
    meet(first)
    for place in met:  # which grows meanwhile
        if place[0] not in modules:
            modules.add(place[0])
            meet(_effects(place[0]))
        definition = _definition(place)
        said.update(f"{definition.digest}\n".encode())
        for use in definition.uses:
            targets = _targets(place[0], use)
            meet(target for target in targets if isinstance(target, tuple))
            links = [target if isinstance(target, str) else number[target] for target in targets]
            said.update(f"{use if isinstance(use, tuple) else use.name} {links}\n".encode())
    return CodeUsed(said.hexdigest(), _by_module(met), tuple(met))


def _by_module(places: Iterable[Place]) -> dict[str, str]:
    digests: dict[str, list[str]] = {}
    for place in places:
        digests.setdefault(place[0], []).append(_definition(place).digest)
    each = {name: "\n".join(sorted(digests[name])) for name in sorted(digests)}
    return {name: hashlib.sha256(text.encode()).hexdigest()[:12] for name, text in each.items()}


def _start(module: str, name: str) -> list[Place]:
    found = _bound(module, (name,)) if tree_of(module) is not None else []
    if not found:
        raise InputError(
            f"{module}.{name}: is not defined at the top of a Python file, so that nobody could tell when its code "
            "changes; define it there."
        )
    return [one for one in found if isinstance(one, tuple)]


@cache
def computing_code(kind: str) -> tuple[tuple[str, str], ...]:
    """Module and name of what is marked as computing cells of a kind, in the order of the names."""
    found = [(name, module) for module in lab_modules() for name in _marked(module, "computes_cells", kind)]
    return tuple((module, name) for name, module in sorted(found))


def _marked(module: str, mark: str, kind: str = "") -> Iterator[str]:
    """The names in a module that have a mark."""
    file = file_of(module)
    if file is not None and f"@{mark}".encode() in file.read_bytes():
        for statement in _tree(module).statements:
            if mark in _marks(statement, kind):
                assert isinstance(statement, ast.FunctionDef | ast.ClassDef)
                yield statement.name


def _marks(statement: ast.stmt, kind: str = "") -> Iterator[str]:
    """The names of the decorators of a definition; of those that are given arguments, where `kind` is among these."""
    for one in getattr(statement, "decorator_list", ()):
        called = isinstance(one, ast.Call)
        if not called or kind in [arg.value for arg in one.args if isinstance(arg, ast.Constant)]:
            yield (chain_of(one.func if called else one) or ("",))[-1]


@cache
def _targets(module: str, use: Use) -> tuple[Target, ...]:
    """What a name that a module uses refers to."""
    found = _of_alias(use, ()) if isinstance(use, Alias) else _bound(module, use)
    return tuple(dict.fromkeys(one if _is_followed(one) else "no numbers" for one in found))


def _is_followed(target: Target) -> bool:
    marks = _marks(_statement(target)) if isinstance(target, tuple) and target[0].partition(".")[0] == LAB else ()
    return "not_fingerprinted" not in marks


def _bound(module: str, chain: Chain, seen: Seen = frozenset()) -> list[Target]:
    """What a chain of names refers to in a module."""
    if (module, chain) in seen:
        return []
    tree, seen, (name, *rest) = _tree(module), seen | {(module, chain)}, chain
    if name in tree.binds:
        return [
            target
            for bound in tree.binds[name]
            for target in ([(module, bound)] if isinstance(bound, int) else _of_alias(bound, tuple(rest), seen))
        ]
    if tree_of(f"{module}.{name}") is not None:
        return _of_alias(Alias(f"{module}.{name}"), tuple(rest), seen)
    starred = [target for star in tree.stars for target in _of_alias(Alias(star, name), tuple(rest), seen)]
    return starred or [(module, one) for one in tree.binds.get("__getattr__", ()) if isinstance(one, int)]


def _of_alias(alias: Alias, rest: Chain, seen: Seen = frozenset()) -> list[Target]:
    """What an import gives, and of that the attributes `rest`."""
    if tree_of(alias.module) is None:
        return [f"{alias.module}:{alias.name}" if alias.name else alias.module]
    chain = (*([alias.name] if alias.name else []), *rest)
    if chain:
        return _bound(alias.module, chain, seen)
    # A module that is handed on as a value: anything of it may be used.
    return [(alias.module, index) for index in range(len(_tree(alias.module).statements))]


def _effects(module: str) -> Iterator[Place]:
    """What importing a module does beside defining things: it, the packages around it, and what else of the user's it
    imports. No module of the lab does any such thing, which a test holds."""
    left = [module]
    for name in left:  # which grows meanwhile
        tree = tree_of(name)
        if tree is not None and name.partition(".")[0] != LAB:
            yield from ((name, index) for index in tree.effects)
            above = [".".join(name.split(".")[:end]) for end in range(1, name.count(".") + 1)]
            left += [one for one in (*above, *_imports(tree)) if one not in left]


def _imports(tree: SourceTree) -> Iterator[str]:
    for alias in [one for bound in tree.binds.values() for one in bound if isinstance(one, Alias)]:
        inner = f"{alias.module}.{alias.name}"
        yield inner if alias.name and tree_of(inner) is not None else alias.module
    yield from tree.stars


@cache
def _definition(place: Place) -> Definition:
    module = place[0]

    def is_error(chain: Chain) -> bool:
        return _is_error(module, chain)

    def is_own(name: str) -> bool:
        return tree_of(name) is not None

    return read_definition(_statement(place), _tree(module), package_of(module), is_error, is_own)


@cache
def _is_error(module: str, chain: Chain) -> bool:
    """Whether a name is of a class of exceptions, Python's or one that is followed."""
    if chain[0] not in _tree(module).binds:
        found = getattr(builtins, chain[0], None) if len(chain) == 1 else None
        return isinstance(found, type) and issubclass(found, BaseException)
    for target in _targets(module, chain):
        statement = _statement(target) if isinstance(target, tuple) else None
        if isinstance(statement, ast.ClassDef):
            return any((base := chain_of(one)) and _is_error(target[0], base) for one in statement.bases)
    return False


def _tree(module: str) -> SourceTree:
    tree = tree_of(module)
    assert tree is not None
    return tree


def _statement(place: Place) -> ast.stmt:
    return _tree(place[0]).statements[place[1]]
