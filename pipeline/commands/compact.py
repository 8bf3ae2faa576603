"""`newsbeam compact`: derived files made anew."""

import click

from pipeline.commands.shared import configured, load, print_json, warehouse_of
from schemas.errors import UsageError


@click.command()
@configured
@click.option("--fingerprints", is_flag=True, help="Make all fingerprints of near copies from the stored articles.")
def compact(
    config: str | None, output: str | None, changes: tuple[str, ...], as_json: bool, fingerprints: bool
) -> None:
    """Make derived files anew. Needed when `newsbeam run` says so: their rules changed, or `dedup.mode` did."""
    from pipeline.fingerprint_rebuild import rebuild_fingerprints
    from pipeline.terminal import number_of

    if not fingerprints:
        raise UsageError("What is to be made anew? Give --fingerprints.")
    made = rebuild_fingerprints(warehouse_of(load(config, output, changes)))
    if as_json:
        print_json(made)
    what = f"{number_of(made.articles, 'article')} in {number_of(made.files, 'file')}"
    click.echo(f"Fingerprints of {what} made anew.", err=True)
