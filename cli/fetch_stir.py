"""``stirdata fetch stir``."""

from __future__ import annotations

from typing import Any

import click

from . import fetch_options


@click.command("stir")
@click.option(
    "--zenodo", is_flag=True, help="From Zenodo, the only place where they are published; has to be said."
)
@click.option("--only", metavar="SET,…", help="Of emoji, mnist, trafficsign, aerial.  [default: all four]")
@click.option("--record", metavar="ID", help="Another record: its number, DOI or web page.")
@click.option(
    "--base-url",
    metavar="URL",
    help="Another server that works like Zenodo.  [default: STIRDATA_ZENODO_URL, else https://zenodo.org]",
)
@fetch_options.shared_options
def command(zenodo: bool, only: str | None, as_json: bool, quiet: bool, **parameters: Any) -> None:
    """Bring the published STIR files, check them against the schema, and write their manifests.

    trafficsign and aerial are licensed for non-commercial use only.

    What the record on Zenodo says at the first fetch is kept in stir-zenodo.lock.json beside the files.
    From then on the lock file decides: a record that says something else is an error. The last lines
    printed are the paths.
    """
    from stirdata.manifest import pinned
    from stirdata.stir_download import PublishedRequest, fetch_published

    if not zenodo:
        raise click.UsageError(
            "the published STIR files are on Zenodo only: say stirdata fetch stir --zenodo\n"
            "To make the sets from their raw material, see stirdata generate stir."
        )
    request = PublishedRequest(sets=_names(only), quiet=quiet, **parameters)
    facts, files = pinned("stir-zenodo"), []
    with fetch_options.resumable():
        for name, file in fetch_published(request):
            fetch_options.report(file, as_json=as_json, quiet=quiet)
            about = {"set": name, "license": facts["sets"][name]["license"]}
            files.append(about | fetch_options.file_as_json(file))
    if as_json:
        fetch_options.print_json(files, citation=facts["citation"])


def _names(only: str | None) -> tuple[str, ...]:
    if only is None:
        return ()
    names = tuple(name.strip().removesuffix(".npz") for name in only.split(",") if name.strip())
    if not names:
        raise click.UsageError("--only names no set, such as --only emoji,mnist")
    return names
