"""What one request may take. A section of the configuration, too."""

from pydantic import BaseModel, ConfigDict, Field

from schemas.units import Bytes, Seconds


class Limits(BaseModel):
    """Of feeds, pages and robots.txt alike. A request that goes beyond one of them fails, under a name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    feed_bytes: Bytes = Field(15_000_000, gt=0, description="The largest feed, unpacked.")
    page_bytes: Bytes = Field(10_000_000, gt=0, description="The largest page, unpacked.")
    ratio: float = Field(200.0, gt=1, description="Unpacked bytes for one packed byte, from the first megabyte on.")
    entries: int = Field(2_000, gt=0, description="Entries that are taken of one poll, the first ones.")
    connect: Seconds = Field(20.0, gt=0, description="Time to connect.")
    idle: Seconds = Field(20.0, gt=0, description="Time between two reads.")
    total: Seconds = Field(60.0, gt=0, description="Time of a request with all its redirects.")
    redirects: int = Field(5, ge=0, description="Redirects that are followed.")
    at_once: int = Field(200, gt=0, description="Requests under way at once, to as many hosts.")
