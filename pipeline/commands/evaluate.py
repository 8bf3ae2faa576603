"""`newsbeam evaluate`: how good copies, names and topics are on somebody's own labelled data."""

import click


@click.group()
def evaluate() -> None:
    """Measure copies, names or topics on a labelled file of your own."""
