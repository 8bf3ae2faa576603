"""The records: what flows through the line. Each column is declared here once, its type and its meaning.

A step never changes a record; it returns a copy that knows more (`msgspec.structs.replace`). Records hold no cycles,
so Python's garbage collector need not look at them (`gc=False`).
"""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Struct

Outcome = Literal["read", "unique", "duplicate", "known", "dead"]
"""`read` until copies are decided; then exactly one of the other four."""


class Entity(Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """One mention of a name in an article."""

    text: Annotated[str, "the words as they stand in the article"]
    name: Annotated[str, "the name that the mention stands for"]
    label: Annotated[str, "the kind of name: PERSON, ORG, GPE, LOC, NORP, EVENT, PRODUCT, WORK_OF_ART, LAW or FAC"]
    key: Annotated[str, "label and folded name, code or id: joins articles; one that ends in @article_id joins none"]
    country: Annotated[str | None, "ISO 3166 code where the name is a country or its people"] = None
    external_id: Annotated[str | None, "id from the user's gazetteer, such as a Wikidata QID"] = None
    field: Annotated[str, "the column that holds the mention: title or body"]
    start: Annotated[int, "where the mention starts in that column, in characters"]
    end: Annotated[int, "where the mention ends in that column, in characters, exclusive"]


class Score(Struct, frozen=True, gc=False, array_like=True):
    """A topic and how sure it is."""

    topic: Annotated[str, "slug of a topic of the taxonomy"]
    score: Annotated[float, "0 to 1"]


class Copy(Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """Why an article is a copy, and of what."""

    duplicate_of: Annotated[str, "article_id of the unique article that this is a copy of"]
    method: Annotated[
        str,
        "how the copy was recognised: url (a lesser form of the same page), exact (same content as it or as a near "
        "copy of it), jaccard (most of their three-word runs), containment (most of the shorter text's), edit-ratio "
        "(letter by letter), same-words (nearly all words of one of them) or same-figures (four exact figures or more)",
    ]
    similarity: Annotated[float, "0 to 1, by the method; 1 for exact copies"]
    jaccard: Annotated[float | None, "shared part of the three-word runs of both texts, estimated; of near copies"] = (
        None
    )
    containment: Annotated[float | None, "part of the shorter text's runs that the other has, estimated"] = None
    samples: Annotated[int | None, "runs of the shorter text that the estimates are made of"] = None
    numbers_shared: Annotated[int | None, "numbers, weekdays and months in both texts"] = None
    numbers_replaced: Annotated[int | None, "numbers of the text with fewer of them that are not in the other"] = None
    title_ratio: Annotated[float | None, "likeness of the titles, 0 to 1"] = None
    original_batch: Annotated[int, "the batch that brought the unique article"] = 0
    earlier: Annotated[
        bool | None, "whether the copy was published before what it copies, which came first; null without both dates"
    ] = None
    # Where the index finds the unique article; empty if it is in the same batch. Not a column.
    place: str = ""

    @property
    def is_near(self) -> bool:
        """Whether the texts differ, and were compared."""
        return self.jaccard is not None


class Letter(Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """What could not be handled, kept whole enough to be handled again."""

    letter_id: Annotated[str, "hash of input, its version and the record's place in it"]
    stage: Annotated[str, "the step that gave up: read or copies"]
    error_class: Annotated[str, "a short fixed name of the failure, to count by"]
    error: Annotated[str, "what was wrong, in a sentence"]
    offset: Annotated[int, "where the record starts in the unpacked input, in bytes"]
    length: Annotated[int, "how long the record is, in bytes"]
    raw: Annotated[bytes, "the record's first 1,000,000 bytes"]
    raw_size: Annotated[int, "the record's whole size, in bytes"]
    raw_truncated: Annotated[bool, "whether raw is cut short"]


class Article(Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """One article, from the moment it is read. Carries its own outcome."""

    article_id: Annotated[str, "hash of identity and content_hash (xxh3-128, versioned), 32 hex digits"] = ""
    identity: Annotated[str, "what makes it this article: canonical URL, else id, else input and position"] = ""
    url: Annotated[str | None, "the address as it was given"] = None
    canonical_url: Annotated[str | None, "the address without trackers, or the one that the page itself names"] = None
    title: Annotated[str, "the headline"] = ""
    summary: Annotated[str | None, "the standfirst, or the publisher's own summary"] = None
    body: Annotated[str, "the text in paragraphs, an empty line between two"] = ""
    authors: Annotated[list[str], "the people named as authors"] = []
    published_at: Annotated[datetime | None, "when it was published, UTC; null where nothing says so"] = None
    updated_at: Annotated[datetime | None, "when it was last changed, UTC, as the publisher says"] = None
    date_source: Annotated[str, "where the date is from: feed, metadata, text, url, file or arrival"] = "arrival"
    date_precision: Annotated[
        str | None, "second, minute or day; second_no_zone or minute_no_zone where no time zone was given"
    ] = None
    language: Annotated[str | None, "ISO 639-1 code; null where the text is too short to tell"] = None
    source: Annotated[str | None, "the publisher: as named by the input, else the host of the address"] = None
    feed_url: Annotated[str | None, "the feed that brought it"] = None
    section: Annotated[str | None, "the publisher's section"] = None
    categories: Annotated[list[str], "the publisher's categories"] = []
    image_url: Annotated[str | None, "the leading image"] = None
    wire: Annotated[str | None, "the news agency that wrote it"] = None
    word_count: Annotated[int, "words in the body"] = 0
    content_hash: Annotated[str, "hash of the normalised words of title and body (xxh3-128, versioned)"] = ""
    revises: Annotated[str | None, "article_id of the version before, of the same identity"] = None
    taxonomy: Annotated[str, "the set of topics that the topic is one of, with a hash of their slugs"] = ""
    topic_code: Annotated[str | None, "IPTC code of the topic; null if unclassified or not IPTC's"] = None
    topic_source: Annotated[str | None, "what told the topic: section, category, url or text; null if unclassified"] = (
        None
    )
    topic_score: Annotated[
        float | None, "how sure the topic is, 0 to 1: of articles scored .8 about .8 are right; 1 by the publisher"
    ] = None
    topic_model: Annotated[str | None, "name and version of the text model that told the topic; null otherwise"] = None
    topics: Annotated[list[Score], "the three best topics with their scores; also those of an unclassified text"] = []
    entities: Annotated[list[Entity], "every mention of a name, in order of appearance"] = []
    countries: Annotated[list[str], "ISO 3166 codes of the countries that the story is about"] = []
    entity_model: Annotated[str | None, "name and version of the model that found the names; null if none did"] = None
    extra: Annotated[dict[str, str], "values of the user's own functions, as text"] = {}
    fetched_url: Annotated[str | None, "the page that was fetched for the whole text, after redirects"] = None
    fetched_status: Annotated[int | None, "the HTTP status of that page; null where there was no answer"] = None
    fetched_bytes: Annotated[int | None, "the size of that page, unpacked"] = None
    extraction: Annotated[str, "how the text was obtained: the format's name and the rules' version"] = ""
    problems: Annotated[list[str], "what went wrong on the way without costing the article"] = []
    input: Annotated[
        str, "the file or feed that it came from, below the configured root; in an archive: archive!/member"
    ] = ""
    read_at: Annotated[datetime | None, "the clock of the batch that read it, UTC"] = None
    # What decides where it goes; not columns of `articles`.
    position: int = 0
    topic: str = "unclassified"
    outcome: Outcome = "read"
    copy: Copy | None = None
    # See transforms/fingerprints.py; empty where none was made. And whether the text holds several other articles.
    fingerprint: bytes = b""
    is_roundup: bool = False
    letter: Letter | None = None


class Problem(Struct, frozen=True, gc=False):
    """Why a record, or the rest of an input, cannot be read."""

    error_class: str
    error: str


class Piece(Struct, frozen=True, kw_only=True, gc=False):
    """A run of whole records of one input: the unit that is handed out, and that the ledger remembers.

    Offsets and lengths count bytes of the unpacked input. `path` and `at` tell where those bytes can be read:
    in the input itself, or in a spool file if the input is compressed, an archive or turned into JSON Lines.
    """

    input: str
    version: str
    format: str
    first: int
    records: int
    offset: int
    length: int
    last: bool
    path: str
    at: int
    problem: Problem | None = None
    member: str | None = None
    """The name of the file within the input, if that is an archive."""
    skipped: dict[str, int] = {}
    """What was met that can be no article, by reason; these are no records."""

    @property
    def named(self) -> str:
        """What the column `input` says: the input's name, and behind an exclamation mark the member's."""
        return self.input if self.member is None else f"{self.input}!/{self.member}"

    @property
    def end(self) -> int:
        """The number of the record after the last one."""
        return self.first + self.records


class File(Struct, frozen=True, kw_only=True, gc=False):
    """A Parquet file of a batch: where it was staged, where it belongs, and what Delta wants to know of it."""

    table: str
    staged: str
    path: str
    rows: int
    size: int
    partition: dict[str, str]
    stats: str


class Chunk(Struct, frozen=True, kw_only=True, gc=False):
    """What flows: up to 256 articles that travel together, and the pieces of input they came from."""

    number: int
    pieces: list[Piece]
    articles: list[Article] = []
    changed: list[str] = []
    seconds: dict[str, float] = {}
    files: list[File] = []
    """What holds its articles' rows, and those of other chunks, once they are written."""
