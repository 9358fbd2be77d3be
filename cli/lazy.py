"""Groups of commands: they propose known ones that are close, and may import them only when they run."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click


class ProposingGroup(click.Group):
    """A group that proposes the commands that are close to an unknown one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is named; for an unknown name, propose known ones that are close."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            close = get_close_matches(args[0], self.list_commands(ctx))
            if not close or "Did you mean" in error.message:  # newer versions of click propose them
                raise
            raise click.UsageError(f"{error.message} Did you mean {' or '.join(close)}?", ctx) from error


class LazyGroup(ProposingGroup):
    """A group that knows the name and one-line help of each command without importing it.

    Args:
        commands_in: Package that the commands' modules are in.
        lazy_commands: Per command, its module and its one-line help. The module holds the command
            under the name ``command``.
    """

    def __init__(
        self, *args: Any, commands_in: str, lazy_commands: dict[str, tuple[str, str]], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._package = commands_in
        self._lazy = lazy_commands

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted({*self._lazy, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command's module and return the command."""
        if cmd_name not in self._lazy:
            return super().get_command(ctx, cmd_name)
        command: click.Command = import_module(f".{self._lazy[cmd_name][0]}", self._package).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the one-line helps."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_line) for name, (_, help_line) in sorted(self._lazy.items())])
