"""News agencies, by each place that names them; and people and texts that only look like it."""

import pytest

from transforms.wire import Wire, find_wire

PLAIN = "The harbour was closed on Monday."
CASES: dict[str, tuple[list[str], list[str], str | None, str | None, Wire]] = {
    "nothing": ([PLAIN], ["Ada Lind"], "Daily", None, Wire(None, ["Ada Lind"])),
    "no text": ([], [], None, None, Wire(None, [])),
    "dateline": (["OSLO, Jan. 3 (Reuters) - The harbour was closed."], [], None, None, Wire("Reuters", [])),
    "dateline, dash": (["PARIS (AFP) — The harbour was closed."], [], None, None, Wire("AFP", [])),
    "dateline, German": (["Berlin (dpa/lnw) - Der Hafen ist zu."], [], None, None, Wire("dpa", [])),
    "dateline, Spanish": (["Madrid, 3 ene (EFE).- El puerto cerró."], [], None, None, Wire("EFE", [])),
    "dateline, Italian": (["(ANSA) - ROMA, 3 GEN - Il porto è chiuso."], [], None, None, Wire("ANSA", [])),
    "dateline, slashes": (["MOSCOW, January 3. /TASS/. The harbour."], [], None, None, Wire("TASS", [])),
    "dateline, bare": (["TOKYO, Jan 3, Kyodo - The harbour was closed."], [], None, None, Wire("Kyodo", [])),
    "dateline, Chinese": (["新华社北京1月3日电 港口周一关闭。"], [], None, None, Wire("Xinhua", [])),
    "dateline, Arabic": (["أوسلو (رويترز) - أغلق الميناء يوم الاثنين."], [], None, None, Wire("Reuters", [])),
    "byline": ([PLAIN], ["AP"], None, None, Wire("AP", [])),
    "byline of a person": ([PLAIN], ["Ada Lind, AFP", "Bo Ek"], None, None, Wire("AFP", ["Ada Lind", "Bo Ek"])),
    "byline in brackets": ([PLAIN], ["Bo Ek (dpa)"], None, None, Wire("dpa", ["Bo Ek"])),
    "byline, staff": ([PLAIN], ["Reuters Staff"], None, None, Wire("Reuters", [])),
    "byline, with article": ([PLAIN], ["The Associated Press"], None, None, Wire("AP", [])),
    "credit": ([PLAIN, PLAIN, "Source: AFP"], [], None, None, Wire("AFP", [])),
    "credit, copyright": ([PLAIN, "© 2026 The Canadian Press. All rights reserved."], [], None, None, Wire("CP", [])),
    "credit, initials": ([PLAIN, "als/dpa"], [], None, None, Wire("dpa", [])),
    "credit, bare": ([PLAIN, "(PA)"], [], None, None, Wire("PA", [])),
    "source": ([PLAIN], [], "Xinhua", None, Wire("Xinhua", [])),
    "feed": ([PLAIN], [], None, "https://feeds.apnews.com/rss", Wire("AP", [])),
    "dateline before feed": (["OSLO (AFP) - It was."], [], None, "https://apnews.com/1", Wire("AFP", [])),
    "a club": (["The local Press Association (PA) said on Monday that it was closed."], [], None, None, Wire(None, [])),
    "a word": ([PLAIN, "He drank his tea with pa."], ["Papa Bear"], None, None, Wire(None, ["Papa Bear"])),
    "in the text": ([PLAIN, "It was first told by Reuters, which had a letter."], [], None, None, Wire(None, [])),
    "a host that ends alike": ([PLAIN], [], None, "https://notap.org/1", Wire(None, [])),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_agencies(name: str) -> None:
    body, authors, source, url, expected = CASES[name]
    assert find_wire(body, authors, source, [url]) == expected


@pytest.mark.parametrize("unit", ["a", "(AP", "AFP/", "-", " ", "©", "source: "])
def test_hostile_lines_take_no_time(unit: str) -> None:
    text = unit * 20_000
    find_wire([text, text[:150]], [text, text[:190]], text, [text])
