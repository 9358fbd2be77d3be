"""``stirdata generate``: a command for everything that the families of datasets can make."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click

from stirdata.families import recipes

from . import options
from .lazy import ProposingGroup

if TYPE_CHECKING:
    from dataclasses import Field

    from stirdata.families.family import Family, Recipe
    from stirdata.operations.generate import Checked
    from stirdata.operations.standing import Outcome

_HELP = {"help_option_names": ["-h", "--help"]}


def _options(family: Family, recipe: Recipe) -> list[click.Parameter]:
    """Return the options of a command: the recipe's parameters, then those that all commands have."""
    listed = [_option(entry) for entry in fields(recipe.parameters)]
    if recipe.realizations:
        seeds = click.Option(
            ["--seeds"], type=options.Seeds(), help="Seeds of several realizations, such as 0-5."
        )
        listed.insert(1, seeds)
    return [*listed, *_output_options(family)]


def _option(entry: Field[Any]) -> click.Option:
    """Return the option of a parameter; one that is not given is left to the recipe's default."""
    facts = entry.metadata
    name = f"--{entry.name.replace('_', '-')}"
    shown = facts.get("shown", entry.default)
    if facts["kind"] == "flag":
        return click.Option([name], is_flag=True, default=None, help=facts["help"])
    suffix = "" if shown is None or facts.get("required") else f"  [default: {shown}]"
    return click.Option(
        [name, entry.name],
        type=_type(facts),
        required=bool(facts.get("required")),
        help=facts["help"] + suffix,
    )


def _type(facts: Any) -> Any:
    if "choices" in facts:
        return click.Choice(facts["choices"])
    if facts["kind"] == "int":
        return click.IntRange(facts.get("least", 0), facts.get("most"))
    return {"float": float, "text": str, "path": options.FOLDER, "scales": options.Scales()}[facts["kind"]]


def _output_options(family: Family) -> list[click.Parameter]:
    forms = family.layout.forms
    where = (
        "Folder below which it goes, or a file."
        if family.folder_is_root
        else "File or folder to write; its name says the format."
    )
    return [
        click.Option(["--out"], type=click.Path(), metavar="PATH", help=where),
        click.Option(["--format", "form"], type=click.Choice(forms), help=f"Format.  [default: {forms[0]}]"),
        *options.of(options.workers, options.dask, options.force),
        click.Option(
            ["--check"],
            is_flag=True,
            help="Compute, compare with the published or pinned result, and write nothing.",
        ),
        *options.of(options.as_json, options.quiet),
    ]


def _command(family: Family, recipe: Recipe) -> click.Command:
    def run(**given: Any) -> None:
        _run(recipe, given)

    return click.Command(
        recipe.command[-1],
        params=_options(family, recipe),
        callback=run,
        help=recipe.help,
        short_help=recipe.summary,
        context_settings=_HELP,
    )


def _run(recipe: Recipe, given: dict[str, Any]) -> None:
    """Make or check what is asked for and say what came of it."""
    from stirdata.operations.generate import check, make, plan
    from stirdata.progress import bar

    places = {name: given.pop(name) for name in ("workers", "dask")}
    output = {name: given.pop(name) for name in ("out", "form")}
    force, checking, as_json, quiet = (given.pop(name) for name in ("force", "check", "as_json", "quiet"))
    planned = plan(recipe.name, _parameters(given), **output, quiet=quiet)
    with bar(planned.count, recipe.name, "image", quiet=quiet) as shown:
        if checking:
            checks = list(check(planned, **places, advance=shown.advance))
        else:
            made = make(planned, **places, force=force, advance=shown.advance)
            say = None if quiet else shown.say
            outcomes = _said(made, say, with_seed=recipe.realizations, as_json=as_json)
    if checking:
        _print_checks(checks, as_json=as_json, quiet=quiet)
    elif as_json:
        click.echo(json.dumps({"outputs": [outcome.as_json() for outcome in outcomes]}))


def _parameters(given: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the parameters of every output; what was not given is left to the defaults."""
    seeds = given.pop("seeds", None)
    named = {name: value for name, value in given.items() if value is not None}
    if seeds is None:
        return [named]
    if "seed" in named:
        raise click.UsageError("give either --seed or --seeds, not both")
    return [{**named, "seed": seed} for seed in seeds]


def _said(
    outcomes: Iterable[Outcome], say: Callable[[str], None] | None, *, with_seed: bool, as_json: bool
) -> list[Outcome]:
    """Say what came of each output as soon as it is there."""
    listed = []
    for outcome in outcomes:
        listed.append(outcome)
        prefix = f"seed {outcome.seed}: " if with_seed else ""
        if say is not None:
            say("\n".join(prefix + line for line in _message(outcome)))
        if not as_json:
            click.echo(str(outcome.path))
    return listed


def _message(outcome: Outcome) -> list[str]:
    state = "already there, verified" if outcome.already_there else "made"
    identity = [outcome.identity.sentence()] if outcome.identity else []
    return [f"{state}, root digest {outcome.root}", *outcome.notes, *identity]


def _print_checks(checks: list[Checked], *, as_json: bool, quiet: bool) -> None:
    from stirdata.progress import say

    if as_json:
        click.echo(json.dumps({"checks": [checked.as_json() for checked in checks]}))
    for checked in () if as_json else checks:
        for note in () if quiet else checked.notes:
            say(note)
        state = "DIFFERS from" if checked.findings else "equal to"
        click.echo(f"{state} {checked.compared_with}")
        for finding in checked.findings:
            click.echo(f"  {finding.sentence()}")
    if any(checked.findings for checked in checks):
        raise click.exceptions.Exit(1)


def _group() -> click.Group:
    """Return the tree of commands for everything that can be made."""
    group: click.Group = ProposingGroup(
        "generate", help="Make a dataset from its recipe.", context_settings=_HELP
    )
    for family, recipe in recipes():
        below = group
        for word in recipe.command[:-1]:
            inner = below.commands.get(word)
            if not isinstance(inner, click.Group):
                inner = ProposingGroup(word, help=family.summary, context_settings=_HELP)
                below.add_command(inner)
            below = inner
        below.add_command(_command(family, recipe))
    return group


command = _group()
