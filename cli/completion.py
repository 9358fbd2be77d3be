"""``stirdata completion``: the command line completed by a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print what makes a shell complete commands, options, their values and file names.

    \b
    bash  put into ~/.bashrc:  eval "$(stirdata completion bash)"
    zsh   put into ~/.zshrc, after compinit:  eval "$(stirdata completion zsh)"
    fish  put into ~/.config/fish/config.fish:  stirdata completion fish | source
    """  # noqa: D301 - click needs the character
    completion = get_completion_class(shell)
    if completion is None:
        raise click.UsageError(f"click cannot complete in {shell}")
    root = context.find_root()
    click.echo(completion(root.command, {}, "stirdata", "_STIRDATA_COMPLETE").source())
