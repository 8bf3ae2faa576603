"""`newsbeam feeds`, and what `run` and `status` say of feeds: as a user calls them."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.verify import verify_warehouse
from tests.command import newsbeam
from tests.feed_server import Answer, Server, item, rss

NO_NAMES = ("--set", "models.en=null")


@pytest.fixture
def server() -> Iterator[Server]:
    with Server({"/feed": Answer(rss([item(1, "https://harbour.example/1")]))}) as one:
        yield one


@pytest.fixture
def local(server: Server) -> tuple[str, ...]:
    """What allows the local server."""
    more = {"allow_private_addresses": "true", "ports": f"[{server.port}]", "host_spacing": "0"}
    return tuple(word for name, value in more.items() for word in ("--set", f"feeds.{name}={value}"))


def test_add_run_list_and_remove(server: Server, local: tuple[str, ...], tmp_path: Path) -> None:
    page = (
        '<html><head><link rel="alternate" type="application/rss+xml" href="/feed"><a href="/feed/sport">s</a></head>'
    )
    server.routes["/"] = Answer(page.encode(), headers={"Content-Type": "text/html"})
    out = ("--output", str(tmp_path / "out"))
    added = newsbeam("feeds", "add", server.url("/"), *out, *local, "--section", "Sport")
    assert added.stdout.strip() == server.url() and "It is followed now." in added.stderr
    assert "already" in newsbeam("feeds", "add", server.url(), *out, *local, "--section", "Sport").stderr
    summary = json.loads(newsbeam("run", *out, *local, *NO_NAMES, "--json").stdout)
    assert (summary["feeds"], summary["unique"], summary["topics"]) == (1, 1, {"sport": 1})
    listed = json.loads(newsbeam("feeds", "list", *out, "--json").stdout)
    assert [(one["url"], one["how"], one["title"], one["due"]) for one in listed] == [
        (server.url(), "well", "Harbour Daily", False)
    ]
    assert "1 feed: 1 well; 0 due" in newsbeam("status", *out).stdout
    newsbeam("feeds", "remove", server.url(), *out)
    assert newsbeam("feeds", "list", *out).stdout.strip() == "0 feeds; 0 due"
    assert "nothing to read" in newsbeam("run", *out, status=2).stderr
    assert not verify_warehouse(out[1]).problems


def test_lists_go_in_and_come_out_alike(tmp_path: Path) -> None:
    urls = [f"https://{name}.example/feed?a=1&b=2" for name in "abc"]
    (tmp_path / "a.txt").write_text("\n".join(urls))
    for number, name in enumerate(("a.txt", "b.opml")):
        out = ("--output", str(tmp_path / f"out{number}"))
        assert "3 of 3 feeds are new" in newsbeam("feeds", "import", str(tmp_path / name), *out).stderr
        exported = newsbeam("feeds", "export", *out).stdout
        (tmp_path / "b.opml").write_text(exported)
        assert [one["url"] for one in json.loads(newsbeam("feeds", "list", *out, "--json").stdout)] == urls
    (tmp_path / "page.html").write_text("<html><body>No list</body></html>")
    assert "no OPML" in newsbeam("feeds", "import", str(tmp_path / "page.html"), *out, status=2).stderr


def test_folders_that_are_groups_stay_groups(tmp_path: Path) -> None:
    (tmp_path / "feeds.yaml").write_text("feeds: {groups: {Sport: {interval: 2 h}}}")
    folders = "<outline text='Sport'>{}<outline text='Rowing'>{}</outline></outline><outline text='Else'>{}</outline>"
    feeds = [f"<outline type='rss' xmlUrl='https://{name}.example/feed'/>" for name in "abc"]
    (tmp_path / "in.opml").write_text(f"<opml version='2.0'><body>{folders.format(*feeds)}</body></opml>")
    for number, name in enumerate(("in.opml", "out0.opml")):
        out = ("--output", str(tmp_path / f"out{number}"))
        newsbeam("feeds", "import", str(tmp_path / "feeds.yaml"), str(tmp_path / name), *out)
        listed = json.loads(newsbeam("feeds", "list", str(tmp_path / "feeds.yaml"), *out, "--json").stdout)
        assert [one["group"] for one in listed] == ["Sport", "Sport", None]
        (tmp_path / f"out{number}.opml").write_text(
            newsbeam("feeds", "export", str(tmp_path / "feeds.yaml"), *out).stdout
        )
    assert (tmp_path / "out0.opml").read_text() == (tmp_path / "out1.opml").read_text()


def test_check_explains(server: Server, local: tuple[str, ...]) -> None:
    server.routes |= {
        "/old": Answer(status=301, headers={"Location": "/feed"}),
        "/feed": Answer(
            rss([item(1, "https://a.example/1"), "<item/>"], more="<ttl>90</ttl>"), headers={"ETag": '"e"'}
        ),
    }
    text = newsbeam("feeds", "check", server.url("/old"), *local).stdout
    for words in ("(for good)", "HTTP 200", 'etag: "e"', "Harbour Daily (rss20)", "2, of them 1 that", "after 1:30:00"):
        assert words in text, text
    gone = newsbeam("feeds", "check", server.url("/none"), *local, status=1)
    assert "Http404" in gone.stdout and "is no feed that can be read" in gone.stderr
    assert "Refused" in newsbeam("feeds", "check", server.url(), status=1).stdout


def test_if_every_due_feed_fails_so_does_the_run(server: Server, local: tuple[str, ...], tmp_path: Path) -> None:
    arguments = ("run", "--output", str(tmp_path / "out"), *local, *NO_NAMES, "--input")
    failed = newsbeam(*arguments, server.url("/none"), status=1)
    assert "None of the feeds that were due could be read" in failed.stderr and "HTTP 404" in failed.stderr
    newsbeam(*arguments, server.url("/none"))  # it is not due yet
    newsbeam(*arguments, server.url("/none"), "--input", server.url())
    status = newsbeam("status", "--output", str(tmp_path / "out")).stdout
    assert "2 feeds: 1 well, 1 failing; 0 due" in status and "Http404" in status


def test_a_certificate_that_is_trusted(tmp_path: Path) -> None:
    """By the system's own list, which OpenSSL lets one name."""
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl")
    import ssl

    both = tmp_path / "both.pem"
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext"
    names = [*make.split(), "subjectAltName=DNS:localhost", "-keyout", str(both), "-out", str(tmp_path / "cert.pem")]
    subprocess.run(names, check=True, capture_output=True)
    both.write_text(both.read_text() + (tmp_path / "cert.pem").read_text())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(both)
    with Server({"/feed": Answer(rss([item(1, "https://harbour.example/1")]))}, context) as server:
        where = (server.url(host="localhost"), "--set", f"feeds.ports=[{server.port}]")
        allowed = ("feeds", "check", *where, "--set", "feeds.allow_private_addresses=true")
        assert "TlsError" in newsbeam(*allowed, status=1).stdout
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
            assert "Harbour Daily" in newsbeam(*allowed).stdout


def test_dry_run_asks_nobody(server: Server, local: tuple[str, ...], tmp_path: Path) -> None:
    result = newsbeam("run", "--input", server.url(), "--output", str(tmp_path / "out"), *local, "--dry-run")
    assert server.url() in result.stdout and "due" in result.stdout and not server.hits
