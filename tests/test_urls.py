"""Addresses: tables of forms that are one, and of sites."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.urls import canonical, host_name, path_segments, same_site

CANONICAL = """
http://Example.COM:80/a b/../c?b=2&a=1#top      http://example.com/c?a=1&b=2
HTTPS://www.example.com:443/a/                  https://www.example.com/a/
https://example.com                             https://example.com/
https://example.com./a                          https://example.com/a
https://example.com:8443/a                      https://example.com:8443/a
https://bücher.example/ä?q=ü                    https://xn--bcher-kva.example/%C3%A4?q=%C3%BC
https://user:secret@example.com/a               https://example.com/a
http://[0:0::1]:80/a                            http://[::1]/a
http://192.0.2.7/a                              http://192.0.2.7/a
https://example.com/%7Ejo/%e4                   https://example.com/~jo/%E4
https://example.com/s-1?utm_source=a&UTM_Id=b   https://example.com/s-1
https://example.com/s-1?fbclid=1&gclid=2&x=3    https://example.com/s-1?x=3
https://example.com/s-1?CMP=share&ocid=1&smid=x https://example.com/s-1
https://example.com/s-1?mc_cid=1&_ga=2&at_medium=RSS  https://example.com/s-1
https://example.com/s-1?ref=home&source=rss     https://example.com/s-1
https://example.com/storm?ref=home              https://example.com/storm?ref=home
https://example.com/story?id=7&ref=home         https://example.com/story?id=7
https://example.com/?p=12&utm_medium=x          https://example.com/?p=12
https://example.com/a?page=2&v=1&article=3      https://example.com/a?article=3&page=2&v=1
https://example.com/a?q=a%26utm_x=b             https://example.com/a?q=a%26utm_x%3Db
https://example.com/a?x=&y                      https://example.com/a?x=&y=
""".strip().split("\n")

NONE = """
javascript:alert(1)
mailto:a@example.com
ftp://example.com/a
//example.com/a
example.com/a
http:///a
http://
https://exa mple.com/
https://.com/
https://a..b/
https://[bad/
https://example.com:99999/
https://exam\ud800ple.com/
""".strip().split("\n")


@pytest.mark.parametrize("line", CANONICAL)
def test_canonical(line: str) -> None:
    url, expected = (part.strip() for part in line.rsplit("  ", 1)) if "  " in line else line.rsplit(" ", 1)
    assert canonical(url) == expected
    assert canonical(expected) == expected


@pytest.mark.parametrize(
    "url", [*NONE, "", None, "https://example.com/" + "a" * 5_000, "https://" + "a" * 300 + ".com/"]
)
def test_no_address(url: str | None) -> None:
    assert canonical(url) is None


@given(st.text(max_size=60))
def test_the_one_form_has_one_form(text: str) -> None:
    for url in (text, f"https://{text}", f"https://example.com/{text}"):
        once = canonical(url)
        assert once is None or canonical(once) == once


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://www.example.co.uk/a", "http://m.example.co.uk/b", True),
        ("https://one.co.uk/", "https://two.co.uk/", False),
        ("https://one.github.io/", "https://two.github.io/", False),
        ("http://192.0.2.7/a", "http://192.0.2.7:80/b", True),
        ("http://192.0.2.7/a", "http://198.0.2.7/b", False),  # a list of suffixes takes 2.7 for their domain
        ("http://localhost/a", "http://localhost/b", True),
        ("https://а.рф/", "https://б.а.рф/", True),
        ("no address", "no address", False),
    ],
)
def test_same_site(one: str, other: str, same: bool) -> None:
    assert same_site(one, other) is same


def test_host_name() -> None:
    assert host_name("https://www.Example.com:443/a") == "example.com"
    assert host_name("nothing") is host_name(None) is host_name("https://[bad/") is None


def test_path_segments() -> None:
    assert path_segments("https://example.com/World//caf%C3%A9/a.html?x=/y") == ["world", "café", "a.html"]
    assert path_segments(None) == path_segments("https://[bad/") == []


@pytest.mark.parametrize("unit", ["a", ".", "/", "%", "&", "=", "?", "a.", "xn--", "../", "[", "@", ":", "é"])
def test_hostile_addresses_are_refused_soon(unit: str) -> None:
    start = time.process_time()
    for url in ("https://" + unit * 1_000_000, "https://" + unit * 4_000, "https://example.com/" + unit * 1_300):
        canonical(url)
        path_segments(url)
    assert time.process_time() - start < 1
