"""What a configuration brings along: the user's gazetteer and functions. Loaded once at the start, to fail early."""

from pipeline.config import Config
from transforms.gazetteer import load_gazetteer
from transforms.own_columns import load_function


def check_own_parts(config: Config) -> None:
    """Raises UsageError if the gazetteer cannot be read, or a function is not there."""
    if config.names.gazetteer:
        load_gazetteer(config.names.gazetteer)
    for one in config.transforms:
        load_function(one.function, config.root)
