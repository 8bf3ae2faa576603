"""Fetching against a real local server: what is refused, and what everything that goes wrong is called."""

import asyncio
import gzip
import ssl
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from tests.feed_server import Answer, Hit, Server
from transforms.addresses import is_public
from transforms.answers import refusal
from transforms.hosts import Hosts, NotNow
from transforms.limits import Limits
from transforms.web import FetchFailed, Request, Response, Web

NOW = datetime(2026, 2, 2, 12, tzinfo=UTC)
HERE = ("127.0.0.1",)


def fetch(
    url: str,
    port: int,
    *,
    private: bool = True,
    names: dict[str, str] | None = None,
    secrets: dict[str, str] | None = None,
    **limits: float,
) -> Response:
    """Fetch one address; `names` are resolved as given."""

    async def work() -> Response:
        resolve = (lambda host, port: [names[host]]) if names else None
        more = {"resolve": resolve} if resolve else {}
        async with Web("newsbeam/test", Hosts(), Limits(**limits), (80, 443, port), **more) as web:
            return await web.get(Request(url, web.limits.feed_bytes, private=private, secrets=secrets or {}))

    return asyncio.run(work())


def failure(url: str, port: int, **options: object) -> str:
    """What a failure is called."""
    with pytest.raises(FetchFailed) as error:
        fetch(url, port, **options)  # type: ignore[arg-type]
    assert error.value.problem.error
    return error.value.problem.error_class


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server({"/feed": Answer(b"hello")}) as one:
        yield one


LOCAL = [
    "127.0.0.1", "localhost", "127.1", "127.0.1", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1", "017700000001",
    "0.0.0.0", "0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]", "[fe80::1]", "[fec0::1]", "[fc00::1]", "[ff02::1]", "10.0.0.1", "172.16.0.1", "192.168.0.1",
    "169.254.169.254", "100.64.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1",
    "１２７.0.0.1", "127。0。0。1", "[::ffff:10.0.0.1]", "[64:ff9b::a00:1]", "[2001:db8::1]", "localhost.",
]  # fmt: skip


@pytest.mark.parametrize("host", LOCAL)
def test_no_form_of_a_private_address_is_fetched(server: Server, host: str) -> None:
    before = len(server.hits)
    assert failure(f"http://{host}:{server.port}/feed", server.port, private=False, connect=1.0) in (
        "Refused",
        "NoHost",
    )
    assert len(server.hits) == before


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.1.2.3", "169.254.169.254", "::ffff:127.0.0.1", "fd00::1"])
def test_no_name_leads_to_a_private_address(server: Server, address: str) -> None:
    names = {"inner.test": address}
    assert failure(f"http://inner.test:{server.port}/feed", server.port, private=False, names=names) == "Refused"


@pytest.mark.parametrize(
    "target", ["http://inner.test:{port}/x", "http://127.0.0.1:{port}/x", "http://[::ffff:127.0.0.1]:{port}/x",
               "//127.1:{port}/x", "file:///etc/passwd", "gopher://a.test/", "http://u:p@outer.test:{port}/x",
               "http://outer.test:1/"],
)  # fmt: skip
def test_no_redirect_leads_there(server: Server, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """127.0.0.2 stands for a public address here; the test server listens at 127.0.0.1, which stays forbidden."""
    with Server() as inner:
        where = target.format(port=inner.port)
        outer = {"outer.test": "127.0.0.1", "inner.test": "127.0.0.2"}
        server.routes["outer.test/go"] = Answer(status=302, headers={"Location": where})
        monkeypatch.setattr(
            "transforms.addresses.is_public", lambda host: host == "127.0.0.1" and not server.asked("/go")
        )
        url = f"http://outer.test:{server.port}/go"
        server.hits.clear()

        async def work() -> None:
            ports = (server.port, inner.port)
            async with Web("t", Hosts(), Limits(), ports, resolve=lambda host, port: [outer[host]]) as web:
                await web.get(Request(url, 1000))

        with pytest.raises(FetchFailed) as error:
            asyncio.run(work())
        assert error.value.problem.error_class == "Refused" and not inner.hits


def test_who_may_go_there_does_not_open_the_way_for_others(server: Server) -> None:
    """The permission is one request's: not even its open connection is shared."""

    async def work() -> None:
        async with Web("t", Hosts(), Limits(), (server.port,)) as web:
            url = server.url()
            for _ in range(2):
                assert (await web.get(Request(url, 1000, private=True))).body == b"hello"
                with pytest.raises(FetchFailed, match="no address of the public internet"):
                    await web.get(Request(url, 1000))

    asyncio.run(work())


@pytest.mark.parametrize(
    ("address", "public"),
    [("8.8.8.8", True), ("2606:4700::1111", True), ("64:ff9b::808:808", True), ("2002:808:808::1", True),
     ("::ffff:8.8.8.8", True), ("2001:0:0:0:0:0:f7f7:f7f7", True), ("2001:0:0:0:0:0:80ff:fffe", False),
     ("192.0.0.8", False), ("4000::1", False), ("fe80::1%eth0", False)],
)  # fmt: skip
def test_public(address: str, public: bool) -> None:
    assert is_public(address) == public


@pytest.mark.parametrize("url", ["ftp://a.example/", "http://", "a.example/feed", "http://u:p@a.example/", "http://a:99999/",
                                 "http://a.example:8080/", "javascript:alert(1)"])  # fmt: skip
def test_only_usual_addresses(url: str) -> None:
    assert failure(url, 443) == "Refused"


async def drip(writer: object, head: bytes, every: float = 0.05) -> None:
    """A byte at a time, for ever."""
    writer.write(head)  # type: ignore[attr-defined]
    while True:
        writer.write(b" ")  # type: ignore[attr-defined]
        await writer.drain()  # type: ignore[attr-defined]
        await asyncio.sleep(every)


async def endless_gzip(writer: object) -> None:
    pack = zlib.compressobj(wbits=31)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n")  # type: ignore[attr-defined]
    while True:
        writer.write(pack.compress(bytes(1_000_000)) + pack.flush(zlib.Z_SYNC_FLUSH))  # type: ignore[attr-defined]
        await writer.drain()  # type: ignore[attr-defined]


async def endless_noise(writer: object) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")  # type: ignore[attr-defined]
    while True:
        writer.write(bytes(range(256)) * 256)  # type: ignore[attr-defined]
        await writer.drain()  # type: ignore[attr-defined]


async def close(writer: object) -> None:
    writer.close()  # type: ignore[attr-defined]


async def close_in_body(writer: object) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n<rss>")  # type: ignore[attr-defined]


async def no_http(writer: object) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")  # type: ignore[attr-defined]


GZIPPED = {"Content-Encoding": "gzip"}
BAD: dict[str, tuple[Answer | Callable[[Hit], Answer], str, dict[str, float]]] = {
    "a byte at a time": (Answer(raw=lambda w: drip(w, b"HTTP/1.1 200 OK\r\n\r\n")), "TooSlow", {"total": 0.5}),
    "a header at a time": (Answer(raw=lambda w: drip(w, b"HTTP/1.1 200 OK\r\nA: ")), "TooSlow", {"total": 0.5}),
    "no answer": (Answer(delay=30), "TooSlow", {"idle": 0.3}),
    "a body that stops": (Answer(raw=lambda w: drip(w, b"HTTP/1.1 200 OK\r\n\r\n", 30)), "TooSlow", {"idle": 0.3}),
    "gzip that never ends": (Answer(raw=endless_gzip), "Bomb", {}),
    "a bomb below the ratio": (Answer(raw=endless_gzip), "TooLarge", {"ratio": 1e9, "feed_bytes": 3_000_000}),
    "a body that never ends": (Answer(raw=endless_noise), "TooLarge", {"feed_bytes": 3_000_000}),
    "broken gzip": (Answer(b"no gzip", headers=GZIPPED), "BrokenPacking", {}),
    "gzip cut short": (Answer(gzip.compress(b"news" * 900)[:-9], headers=GZIPPED), "BrokenPacking", {}),
    "an unknown packing": (Answer(b"...", headers={"Content-Encoding": "br"}), "UnknownEncoding", {}),
    "a closed connection": (Answer(raw=close), "ConnectionLost", {}),
    "closed within the body": (Answer(raw=close_in_body), "ConnectionLost", {}),
    "no HTTP": (Answer(raw=no_http), "BadHttp", {}),
    "a redirect loop": (Answer(status=302, headers={"Location": "/bad"}), "TooManyRedirects", {}),
    "endless headers": (
        Answer(raw=lambda w: drip(w, b"HTTP/1.1 200 OK\r\nA: " + b"a" * 40_000)), "BadHttp", {"total": 5.0}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_goes_wrong_has_a_name(server: Server, name: str) -> None:
    answer, expected, limits = BAD[name]
    server.routes["/bad"] = answer
    started = time.monotonic()
    assert failure(server.url("/bad"), server.port, **limits) == expected
    assert time.monotonic() - started < 5


def test_nobody_there(server: Server) -> None:
    assert failure("http://nowhere.invalid/", 80) == "NoHost"
    with Server() as gone:
        port = gone.port
    assert failure(f"http://127.0.0.1:{port}/", port) == "NotConnected"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that nobody signed but itself, with its key, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1)).not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    form = serialization.PrivateFormat.PKCS8
    secret = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path


def test_who_is_not_trusted_is_not_asked(certificate: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    with Server({"/feed": Answer(b"hello")}, context) as server:
        assert failure(server.url(host="localhost"), server.port) == "TlsError"
        assert failure(server.url(), server.port) == "TlsError"
        assert not server.hits


def test_good_answers(server: Server) -> None:
    server.routes |= {
        "/gzip": Answer(gzip.compress(b"one") + gzip.compress(b"two") + b"\0\0", headers=GZIPPED),
        "/zlib": Answer(zlib.compress(b"news"), headers={"Content-Encoding": "deflate"}),
        "/bare": Answer(zlib.compress(b"news", wbits=-15), headers={"Content-Encoding": "Deflate"}),
        "/empty": Answer(b"", headers=GZIPPED),
        "/old": Answer(status=301, headers={"Location": "/new"}),
        "/new": Answer(status=308, headers={"Location": "there"}),
        "/there": Answer(status=302, headers={"Location": "/feed"}),
        "/long": Answer(b"long", headers={"Set-Cookie": "a=" + "x" * 20_000}),
    }
    for path, body in [
        ("/gzip", b"onetwo"),
        ("/zlib", b"news"),
        ("/bare", b"news"),
        ("/empty", b""),
        ("/long", b"long"),
    ]:
        assert fetch(server.url(path), server.port).body == body
    moved = fetch(server.url("/old"), server.port)
    assert (moved.body, moved.url, moved.moved_to) == (b"hello", server.url("/feed"), server.url("/there"))
    assert server.asked("/feed")[-1].headers["user-agent"] == "newsbeam/test"
    assert "cookie" not in server.asked("/feed")[-1].headers


def test_secrets_stay_with_their_host(server: Server) -> None:
    server.routes |= {
        "a.test/in": Answer(status=302, headers={"Location": f"http://b.test:{server.port}/out"}),
        "b.test/out": Answer(status=302, headers={"Location": f"http://a.test:{server.port}/back"}),
        "a.test/back": Answer(b"done"),
    }
    names = dict.fromkeys(("a.test", "b.test"), "127.0.0.1")
    fetch(f"http://a.test:{server.port}/in", server.port, names=names, secrets={"Authorization": "Bearer x"})
    told = [server.asked(path)[-1].headers.get("authorization") for path in ("/in", "/out", "/back")]
    assert told == ["Bearer x", None, "Bearer x"]


@pytest.mark.parametrize(
    ("status", "headers", "head", "name", "wait"),
    [
        (429, {"retry-after": "120"}, b"", "HostAsksToWait", 120),
        (429, {}, b"", "HostAsksToWait", 300),
        (503, {"retry-after": "Mon, 02 Feb 2026 12:10:00 GMT"}, b"", "HostAsksToWait", 600),
        (503, {}, b"", "Http503", 0),
        (403, {"cf-mitigated": "challenge"}, b"", "Challenge", 0),
        (403, {}, b"<title>Just a moment...</title>", "Challenge", 0),
        (403, {}, b"no", "Http403", 0),
        (401, {}, b"", "LoginNeeded", 0),
        (404, {}, b"", "Http404", 0),
        (410, {}, b"", "Gone", 0),
        (500, {}, b"", "Http500", 0),
        (302, {}, b"", "Http302", 0),
    ],
)
def test_refusals(status: int, headers: dict[str, str], head: bytes, name: str, wait: float) -> None:
    found = refusal(status, headers, head, NOW)
    assert found and (found.problem.error_class, found.wait) == (name, wait) and found.problem.error
    assert refusal(200, {}, b"", NOW) is refusal(304, {}, b"", NOW) is None


def test_one_request_at_a_time_with_a_spacing_and_a_share() -> None:
    def slow(hit: Hit) -> Answer:
        return Answer(b"x", delay=0.15 if hit.host == "a.test" else 0.0)

    with Server({"*": slow}) as server:

        async def work() -> list[object]:
            resolve = lambda host, port: ["127.0.0.1"]  # noqa: E731
            async with Web("t", Hosts(0.1, most=4), Limits(), (server.port,), resolve=resolve) as web:
                urls = [server.url(f"/{number}", f"{host}.test") for number in range(5) for host in "abc"]
                asked = (web.get(Request(url, 1000, private=True)) for url in urls)
                return await asyncio.gather(*asked, return_exceptions=True)

        started = time.monotonic()
        answers = asyncio.run(work())
        assert time.monotonic() - started < 10
        assert sum(isinstance(answer, NotNow) for answer in answers) == 3
        for host in ("a.test", "b.test", "c.test"):
            hits = [hit for hit in server.hits if hit.host == host]
            assert len(hits) == 4
            for before, after in pairwise(hits):
                assert after.at - before.at >= 0.1 and after.at >= before.done


def test_a_host_that_asks_to_wait_is_left_alone() -> None:
    async def work() -> None:
        hosts = Hosts()
        async with hosts.turn("a.test"):
            hosts.quiet("a.test", 60.0)
        with pytest.raises(NotNow) as error:
            async with hosts.turn("a.test"):
                pass
        assert 59 < error.value.wait <= 60
        async with hosts.turn("b.test"):
            pass

    asyncio.run(work())
