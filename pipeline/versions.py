"""What made the rows of a batch."""

import sys
from functools import cache
from importlib.metadata import version

from pipeline import __version__
from transforms import annotate, article, fingerprints, identity


@cache
def versions() -> list[str]:
    """newsbeam, its rules and the libraries that shape the rows, each with its version."""
    libraries = [f"{name} {version(name)}" for name in ("apache-beam", "spacy", "py3langid", "pyarrow", "deltalake")]
    rules = [
        f"identity {identity.VERSION}",
        f"extraction {article.RULES}",
        f"fingerprints {fingerprints.VERSION}",
        f"names {annotate.RULES}",
    ]
    return [f"newsbeam {__version__}", *rules, f"python {sys.version.split()[0]}", *libraries]
