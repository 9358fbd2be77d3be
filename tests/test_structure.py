"""The house: imports point one way, nobody but a family's folder knows a family, and files stay small."""

import ast
import re
from pathlib import Path

import pytest

from stirdata.families import families

CHECKOUT = Path(__file__).parents[1]
PACKAGE = CHECKOUT / "stirdata"
MODULES = {
    ".".join(path.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
} | {
    f"stirdata.cli.{path.stem}".removesuffix(".__init__"): path
    for path in sorted((CHECKOUT / "cli").glob("*.py"))
}

BELOW = {
    "ground": set(),
    "storage": {"ground"},
    "imaging": {"ground"},
    "transfer": {"ground"},
    "sources": {"ground", "transfer", "storage"},
    "loading": {"ground", "storage", "imaging"},
    "families": {"ground", "storage", "imaging", "transfer", "sources", "loading"},
    "evaluation": {"ground", "imaging", "loading", "sharing"},
    "sharing": {"ground", "storage", "imaging", "loading"},
    "operations": {
        *("ground", "storage", "imaging", "transfer", "sources", "loading", "families", "evaluation"),
        "sharing",
    },
    "cli": {"ground", "transfer", "sources", "families", "operations", "evaluation", "sharing"},
}
"""What the modules of a folder may import beside their own siblings."""


VERBS = ("operations", "evaluation")


def folder_of(module):
    """Return the layer of a module; the public names at the top are no layer."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in BELOW else "ground"


def nodes(path, *, late, typing=False):
    """Yield the nodes that run when a file is imported; with ``late`` all of them.

    With ``typing`` those too that are there for annotations.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for child in ast.iter_child_nodes(node):
            typing_only = (
                not typing and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
            )
            if late or not (isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) or typing_only):
                waiting.append(child)


def imports(module, *, late, typing=False):
    """Yield the modules of the package that a module imports."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in nodes(path, late=late, typing=typing):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                origin = ".".join(
                    [*package.split(".")[: len(package.split(".")) - node.level + 1], origin]
                ).strip(".")
            names = [
                f"{origin}.{alias.name}" if f"{origin}.{alias.name}" in MODULES else origin
                for alias in node.names
            ]
        else:
            continue
        yield from (name for name in names if name in MODULES and name != module)


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_one_way(module):
    if module in ("stirdata", "stirdata.__main__"):
        pytest.skip("the public names and the command line are at the top")
    layer = folder_of(module)
    used = {folder_of(name) for name in imports(module, late=True) if name != "stirdata"}
    assert used <= BELOW[layer] | {layer}


def test_the_test_of_imports_sees_what_is_there():
    seen = set(imports("stirdata.operations.generate", late=False))
    assert {"stirdata.families", "stirdata.executors", "stirdata.operations.standing"} <= seen
    assert "stirdata.families.mnist_scale.loader" in imports("stirdata.families.mnist_scale", late=True)
    assert "stirdata.families.mnist_scale.loader" not in imports("stirdata.families.mnist_scale", late=False)


@pytest.mark.parametrize("typing", [False, True])
def test_no_circle_of_imports(typing):
    """For annotations too, but for those that a family has of its own loader."""
    modules = [name for name in MODULES if not (typing and (family_of(name) or name == "stirdata"))]
    graph = {module: set(imports(module, late=False, typing=typing)) & set(modules) for module in modules}
    done, path = set(), []

    def visit(module):
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module not in done:
            path.append(module)
            for name in graph[module]:
                visit(name)
            path.pop()
            done.add(module)

    for module in graph:
        visit(module)


def family_of(module):
    """Return the folder of a family that a module is in, if it is in one."""
    parts = module.split(".")
    return (
        parts[2]
        if parts[1:2] == ["families"] and len(parts) > 2 and (PACKAGE / "families" / parts[2]).is_dir()
        else None
    )


@pytest.mark.parametrize(
    "module", [name for name in MODULES if name not in ("stirdata", "stirdata.__main__")]
)
def test_nobody_imports_a_particular_family(module):
    used = {family_of(name) for name in imports(module, late=True)} - {None, family_of(module)}
    assert not used


def text_in(path):
    """Yield the text in a file that is no docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in bare:
            yield node.value


def names_of_families():
    """Return every name by which a family or one of its datasets could be told."""
    names = set()
    for family in families().values():
        names |= {family.name, family.title, *family.asks, *(recipe.name for recipe in family.recipes)}
    return names


@pytest.mark.parametrize(
    "module",
    [
        name
        for name in MODULES
        if folder_of(name) in ("operations", "evaluation", "sharing", "storage", "loading", "cli")
    ],
)
def test_no_verb_knows_the_name_of_a_family(module):
    names = names_of_families()
    for text in text_in(MODULES[module]):
        assert text not in names
        for name in names - {"stir"}:
            assert not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text), text


def test_the_ground_is_at_most_twelve_modules():
    assert len(list(PACKAGE.glob("*.py"))) <= 12


def test_sources_know_no_recipe():
    for module in MODULES:
        if folder_of(module) == "sources":
            assert not {folder_of(name) for name in imports(module, late=True)} & {"families", "imaging"}


def test_everything_is_registered():
    folders = {path.parent.name for path in (PACKAGE / "families").glob("*/__init__.py")}
    registered = {type(family).__module__.split(".")[2] for family in families().values()}
    assert registered == folders
