"""``stirdata fetch``: bring published data and raw material, each byte proven."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from stirdata.families import families
from stirdata.sources import FETCHABLE

from . import INTERRUPTED, options
from .lazy import ProposingGroup

if TYPE_CHECKING:
    from stirdata.transfer.fetch import Fetched
    from stirdata.transfer.published import PublishedFiles

Command = Callable[..., Any]

_HELP = {"help_option_names": ["-h", "--help"]}

_OPTIONS = [
    click.option(
        "--dest", type=options.FOLDER, metavar="DIR", help="Folder for the files.  [default: cache]"
    ),
    click.option(
        "--mirror",
        "mirrors",
        multiple=True,
        metavar="URL",
        help="Folder on a server that has the files, tried before the known ones; may be repeated.",
    ),
    click.option(
        "--offline",
        is_flag=True,
        default=None,
        help="Make no connection: what is there is verified, what is not is an error (exit code 3).",
    ),
    click.option(
        "--force", is_flag=True, help="Replace other files that have the names of the fetched ones."
    ),
    options.as_json,
    options.quiet,
]


def _shared_options(command: Command) -> Command:
    """Give a command the options that all kinds of fetching have."""
    for decorator in reversed(_OPTIONS):
        command = decorator(command)
    return command


@contextmanager
def _resumable() -> Iterator[None]:
    """Say on Ctrl-C that what has come is kept, and exit with 130."""
    try:
        yield
    except KeyboardInterrupt:
        from stirdata.progress import say

        say("stirdata: interrupted; the next run goes on from where this one stopped")
        raise click.exceptions.Exit(INTERRUPTED) from None


def _report(file: Fetched, *, as_json: bool, quiet: bool) -> None:
    """Print one file that is there now."""
    from stirdata.progress import say

    if not quiet:
        state = "already there, verified" if file.already_there else "fetched, verified"
        say(f"{file.path.name}: {state}, sha256 {file.sha256}")
    if not as_json:
        click.echo(str(file.path))


def _file_as_json(file: Fetched) -> dict[str, Any]:
    """Return a file as JSON values."""
    return {
        "path": str(file.path),
        "size": file.size,
        "sha256": file.sha256,
        "already_there": file.already_there,
        "url": file.url,
    }


class _FetchGroup(ProposingGroup):
    """A group with a command for everything that can be fetched, made when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all that can be fetched."""
        return sorted([*_published(), *FETCHABLE])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command that fetches something."""
        files = _published().get(cmd_name)
        if files is not None:
            return _published_command(cmd_name, files)
        return _raw_command(cmd_name) if cmd_name in FETCHABLE else None


def _published() -> dict[str, PublishedFiles]:
    """Return the published files of all families, by the family's name."""
    found = ((name, family.published_files()) for name, family in families().items())
    return {name: files for name, files in found if files is not None}


def _list(ctx: click.Context, as_json: bool) -> None:
    from stirdata.operations.fetch import fetchables

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
    cls=_FetchGroup,
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


def _published_command(name: str, files: PublishedFiles) -> click.Command:
    known = ", ".join(files.names())
    restricted = [one for one in files.names() if not files.facts["sets"][one]["commercial"]]
    text = f"""Bring the published {files.title} files, check them, and write their manifests.

    {" and ".join(restricted)} are licensed for non-commercial use only.

    What the record on Zenodo says at the first fetch is kept in {files.lock_name} beside the files.
    From then on the lock file decides: a record that says something else is an error. The last lines
    printed are the paths.
    """

    @click.command(
        name, help=text, short_help=f"The published {files.title} files, from Zenodo.", context_settings=_HELP
    )
    @click.option(
        "--zenodo",
        is_flag=True,
        help="From Zenodo, the only place where they are published; has to be said.",
    )
    @click.option("--only", metavar="SET,…", help=f"Of {known}.  [default: all of them]")
    @click.option("--record", metavar="ID", help="Another record: its number, DOI or web page.")
    @click.option(
        "--base-url",
        metavar="URL",
        help="Another server that works like Zenodo.  [default: STIRDATA_ZENODO_URL, else https://zenodo.org]",
    )
    @_shared_options
    def run(zenodo: bool, only: str | None, as_json: bool, quiet: bool, **parameters: Any) -> None:
        from stirdata.transfer.published import PublishedRequest

        if not zenodo:
            raise click.UsageError(
                f"the published {files.title} files are on Zenodo only: say stirdata fetch {name} --zenodo\n"
                f"To make the sets from their raw material, see stirdata generate {name}."
            )
        request = PublishedRequest(sets=_names(only), quiet=quiet, **parameters)
        came = []
        with _resumable():
            for set_name, file in files.fetch(request):
                _report(file, as_json=as_json, quiet=quiet)
                license_ = files.facts["sets"][set_name]["license"]
                came.append({"set": set_name, "license": license_, **_file_as_json(file)})
        if as_json:
            click.echo(json.dumps({"files": came, "citation": files.facts["citation"]}))

    return run


def _names(only: str | None) -> tuple[str, ...]:
    if only is None:
        return ()
    names = tuple(name.strip().removesuffix(".npz") for name in only.split(",") if name.strip())
    if not names:
        raise click.UsageError("--only names no set, such as --only emoji,mnist")
    return names


def _raw_command(name: str) -> click.Command:
    from stirdata.manifest import pinned

    facts = pinned(name)
    text = f"""Bring {facts["title"]}: raw material that datasets are made from.

    The commands that need it look into the cache; with --dest they are told by --source-dir DIR. Every file
    is accepted by the SHA-256 of its content. The last lines printed are the paths.
    """

    @click.command(name, help=text, short_help=f"{facts['title']}.", context_settings=_HELP)
    @_shared_options
    def run(as_json: bool, quiet: bool, **parameters: Any) -> None:
        from stirdata.operations.fetch import RawRequest, fetch_raw
        from stirdata.progress import say

        came = []
        if not quiet:
            say(f"{facts['title']}: license {facts['license']}")
        with _resumable():
            for file in fetch_raw(RawRequest(name, quiet=quiet, **parameters)):
                _report(file, as_json=as_json, quiet=quiet)
                came.append(_file_as_json(file))
        if as_json:
            terms = {"license": facts["license"], "citation": [facts["citation"]]}
            click.echo(json.dumps({"files": came, **terms}))

    return run
