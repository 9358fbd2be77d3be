"""``stirdata fetch``: bring published data and raw material, each byte proven."""

from __future__ import annotations

import json

import click

from .lazy import LazyGroup


def _list(ctx: click.Context, as_json: bool) -> None:
    from stirdata.fetchable import fetchables

    found = fetchables()
    if as_json:
        click.echo(json.dumps({"fetchable": [entry.as_json() for entry in found]}))
    else:
        click.echo(
            "\n".join(
                f"stirdata fetch {line}" if not line.startswith(" ") else line
                for entry in found
                for line in entry.lines()
            )
        )
    ctx.exit()


@click.group(
    "fetch",
    cls=LazyGroup,
    commands_in=__package__,
    lazy_commands={
        "stir": ("fetch_stir", "The published STIR files, from Zenodo."),
        "mnist": ("fetch_mnist", "The original MNIST files, which MNIST-scale and STIR mnist are made from."),
        "fontawesome": ("fetch_fontawesome", "The icons that STIR emoji is made from."),
    },
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--list",
    "as_list",
    is_flag=True,
    help="Say what can be fetched, how large it is, under which "
    "license, from where, and whether it is in the cache; nobody is asked.",
)
@click.option("--json", "as_json", is_flag=True, help="With --list: print the result as JSON.")
@click.pass_context
def command(ctx: click.Context, as_list: bool, as_json: bool) -> None:
    """Bring published data and raw material into a folder, each byte proven by checksums.

    What is there already is verified and kept. A transfer that was interrupted is gone on with by the next
    run. With --offline, or the variable STIRDATA_OFFLINE=1, no connection is made.
    """
    if as_list:
        if ctx.invoked_subcommand is not None:
            raise click.UsageError("--list stands alone: stirdata fetch --list", ctx)
        _list(ctx, as_json)
    if as_json:
        raise click.UsageError("--json goes with --list or behind the name of what to fetch", ctx)
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(2)
