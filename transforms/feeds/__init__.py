"""Feeds: what a body holds, entry by entry. Nothing is fetched here; `transforms.formats.feed` reads saved ones."""

from transforms.feeds.entries import Place, found, found_in
from transforms.feeds.parse import parse_feed
from transforms.feeds.records import Entry, Feed, NotAFeed

__all__ = ["Entry", "Feed", "NotAFeed", "Place", "found", "found_in", "parse_feed"]
