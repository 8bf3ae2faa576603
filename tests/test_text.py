"""Cleaning: tables of texts and what they become."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.furniture import is_furniture, without_furniture
from transforms.text import normalise, one_line, paragraphs

ENGLAND = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
CHARACTERS = [
    ("one\r\ntwo\rthree\u2028four\u2029five\x0bsix\x0cseven", "one\ntwo\nthree\nfour\nfive\nsix\nseven"),
    ("cafe\u0301", "café"),  # NFC
    ("ﬁne ½ ①", "ﬁne ½ ①"),  # not NFKC: what is stored is what was written
    ("in\xadter\u200bna\u2060tio\ufeffnal", "international"),
    ("a\xa0b\u2009c\u3000d\te", "a b c d e"),
    ("bell\x07 nul\x00 esc\x1b[1m", "bell nul esc[1m"),
    ("it\x92s 5 \x80", "it’s 5 €"),  # windows-1252 read as latin-1
    ("lone \ud83d here", "lone \ufffd here"),
    ("family 👩\u200d👧 stays", "family 👩\u200d👧 stays"),
    ("heart ❤\ufe0f\u200d🔥", "heart ❤\ufe0f\u200d🔥"),
    ("می\u200cخواهم", "می\u200cخواهم"),  # Persian spells with it
    ("क्\u200dष", "क्\u200dष"),
    ("Auf\u200clage, zero\u200djoined", "Auflage, zerojoined"),
    ("שלום \u200eBBC\u200f עולם", "שלום \u200eBBC\u200f עולם"),  # here it orders the line
    ("plain \u200eEnglish\u202c", "plain English"),
    ("file\u202efdp.exe", "filefdp.exe"),  # an override only deceives
    (ENGLAND, ENGLAND),
    ("hid\U000e0041\U000e0042den", "hidden"),
    ("“Curly” ‘quotes’ – and—dashes…", "“Curly” ‘quotes’ – and—dashes…"),
    ("Fish &amp; chips &pound;5 &#8217;&#x2014;", "Fish & chips £5 ’—"),
    ("AT&T; R&D, a&b;c, &nosuch;, &;", "AT&T; R&D, a&b;c, &nosuch;, &;"),
    ("&amp;lt;b&amp;gt;", "&lt;b&gt;"),  # once
    ("a&nbsp;b &shy;c &zwj;d&#0;", "a b c d\ufffd"),
    ("cafÃ© â€œnaÃ¯veâ€\x9d â€“ itâ€™s", "café “naïve” – it’s"),  # UTF-8 read as windows-1252
    ("caf\xc3\xa9 it\xe2\x80\x99s", "café it’s"),  # and as latin-1
    ("Ð¡Ñ‚Ñ€Ð¾ÐºÐ°", "Строка"),
    ("NÃO HÁ ÂNIMO Ãlvaro", "NÃO HÁ ÂNIMO Ãlvaro"),  # these letters are words' own
    ("Â£5, nÃ£o", "£5, não"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "clean"), CHARACTERS)
def test_characters(text: str, clean: str) -> None:
    assert normalise(text) == clean


def test_a_title_is_one_line() -> None:
    assert one_line("  Storm\r\n\thits   the\xa0coast ") == "Storm hits the coast"


HARD_WRAPPED = """The council of Ermel voted on Monday to keep
its last three swimming pools open for another year, though
the roof of the oldest has been leaking since the winter.
    Repairs would cost 2.1 mln francs, of which the canton has
offered to pay half.
    "We will swim," the mayor said."""

BLANK_LINES = """The council of Ermel voted on Monday to keep its last three
swimming pools open for another year, though the roof of the
oldest has been leaking since the winter.

Repairs would cost 2.1 mln francs, of which the canton has
offered to pay half. The vote was close: eleven members out of
twenty were in favour."""


def test_wrapped_lines_become_paragraphs() -> None:
    assert paragraphs(HARD_WRAPPED) == [
        "The council of Ermel voted on Monday to keep its last three swimming pools open for another year, though the"
        " roof of the oldest has been leaking since the winter.",
        "Repairs would cost 2.1 mln francs, of which the canton has offered to pay half.",
        '"We will swim," the mayor said.',
    ]
    wrapped = paragraphs(BLANK_LINES)
    assert len(wrapped) == 2 and wrapped[1].endswith("The vote was close: eleven members out of twenty were in favour.")
    assert paragraphs(BLANK_LINES.replace("\n", "\r\n")) == wrapped
    assert paragraphs("\n".join(f"   {line}" for line in BLANK_LINES.split("\n"))) == wrapped  # a margin is no indent


LINES = {
    "one paragraph per line": [
        "The council voted on Monday to keep its last three swimming pools open for a year, though the roof leaks.",
        "Repairs would cost two million.",
        "The vote was close.",
    ],
    "short paragraphs": [
        "The pool stays open.",
        "The roof will be mended.",
        "Nobody knows who will pay for all of it.",
    ],
    "a list of headlines": [
        "Pool stays open in Ermel",
        "Roof repair to cost millions",
        "Mayor swims in the winter lake",
    ],
    "a numbered list": ["1. The pool stays open", "2. The roof will be mended", "3. Nobody pays for it at all"],
    "a table": ["Ermel       12    14", "Sandau       9    11", "Obersee     31    30"],
    "Japanese": [
        "市議会は月曜日、プールを存続させることを決めた。",
        "屋根の修理には二百万かかる。",
        "投票は僅差だった。",
    ],
    "German list": ["Freibad bleibt offen", "Dach wird repariert", "Bürgermeister schwimmt im See"],
}


@pytest.mark.parametrize("name", LINES)
def test_lines_that_are_paragraphs_stay(name: str) -> None:
    expected = [" ".join(line.split()) for line in LINES[name]]
    assert paragraphs("\n".join(LINES[name])) == expected
    assert paragraphs("\n\n".join(LINES[name])) == expected
    assert paragraphs("\n \n\n" + "\n\t\n".join(LINES[name]) + "  \n") == expected


def test_a_split_word_keeps_its_hyphen() -> None:
    text = (
        "the newly elected members of the council met for the well-\nknown reason in the hall, and for another\none too"
    )
    assert "well-known reason" in paragraphs(text)[0]


FURNITURE = """
Picture by: Lena Marsh
Photo: Getty
Foto: dpa
Bild: Jan Ostermann/dpa
(Image: Getty)
Image credit: Tove Lind
Photograph by Ada Moss
Photo courtesy of the family
Lena Marsh. Picture by: Ida Holt/PA Wire/PA Images
Firefighters at the gate on Monday. Photo: Ida Holt/AP
A crowd in the square (Ida Holt/Reuters)
The minister arrives. Tom Berg / AFP
REUTERS/Ida Holt
Getty Images
Caption: the harbour in 1962
Read more: Why the roof leaks
Read more about the roof
Read more »
READ MORE
See also: Ten pools to swim in
Related articles
More from Sport
You may also like
Sign up to our newsletter
Sign up for the morning briefing, sent to your inbox at seven.
Subscribe to our channel
Subscribe now
Follow us on X and Instagram
Download our app for the latest
Advertisement
ADVERTISEMENT
Article continues below advertisement
Skip advertisement
Share this article
Share on Facebook Share on X Email
Facebook Twitter WhatsApp Copy link
Tweet
3 min read
© 2026 The Daily Amber. All rights reserved.
All rights reserved.
Click here to see the map
Watch: The moment the roof fell
Do you have a story? Write to us.
Lesen Sie auch: Warum das Dach leckt
Mehr zum Thema
À lire aussi : Pourquoi le toit fuit
""".strip().split("\n")  # fmt: skip

TEXT = """
Read more slowly, and the tide table makes sense.
Reading the forecasts, she moved the boat.
Read the room, his adviser told him.
Read more books, the minister told the pupils.
See more clearly and you will drive more safely, the police said.
Sign up closed on Friday with 300 names on the list.
Sign-ups for the race reached a record.
Subscribers lost their money when the paper closed.
Share prices fell by 3 percent in Oslo.
Shares in Ermel Bank rose.
Share this bread, she said, and there will be more.
Picture by picture, the jury was shown what the camera saw.
Image is everything in this business.
Photographs of the roof were shown in court.
Photo finish: nobody could say who had won, and the judges took an hour.
The film was shown on Monday: it is about a photo.
He told the AP that he would resign.
A joint poll by Ipsos/Reuters.
The story was first reported by Reuters.
Video of the fall was seen by millions.
Watch out for ice, drivers were told.
Follow us, the guide said, and do not look down.
Related costs came to two million.
More from the meeting was leaked than the mayor would have liked, and by Friday all of it was in the papers.
Advertisement spending fell by a tenth.
Most read the letter twice.
Copyright law is to be reformed in 2027.
Three minutes later the roof fell.
Recommended doses differ by age.
Email was down for three hours.
Print runs were halved.
Pay April 10
Record March 20
U.S. 47.6538/7492
""".strip().split("\n")  # fmt: skip


@pytest.mark.parametrize("paragraph", FURNITURE)
def test_furniture(paragraph: str) -> None:
    assert is_furniture(paragraph)
    assert not is_furniture(f"{paragraph} {'And then the text goes on and on. ' * 10}")


@pytest.mark.parametrize("paragraph", TEXT)
def test_no_furniture(paragraph: str) -> None:
    assert not is_furniture(paragraph)


@pytest.mark.parametrize("mark", ["Reuter", "REUTER", "Reuters", "REUTER...", "REUTER^M", "MORE"])
def test_the_end_mark_of_wire_copy(mark: str) -> None:
    assert without_furniture(["Wheat fell.", mark]) == ["Wheat fell."]
    assert without_furniture([mark, "Wheat fell."]) == [mark, "Wheat fell."]


@given(st.text(st.characters(codec="utf-8"), max_size=300))
def test_clean_text_has_clean_paragraphs(text: str) -> None:
    for paragraph in paragraphs(text):
        assert paragraph == " ".join(paragraph.split()) != ""
        assert paragraph == normalise(paragraph) or "&" in paragraph
        paragraph.encode()


@given(st.lists(st.text("ab C1.- \n", max_size=80), max_size=12))
def test_no_word_is_lost_or_made(lines: list[str]) -> None:
    text = "\n".join(lines)
    assert "".join("".join(paragraphs(text)).split()) == "".join(text.split())


HOSTILE = [
    "a",
    " ",
    "\n",
    "a\n",
    " \n",
    "&",
    "&#1",
    ".",
    "a-\n",
    "\u200d",
    "a\u0301",
    "\ud800",
    "\r",
    "Photo: ",
    "(",
    "é",
]


@pytest.mark.parametrize("unit", HOSTILE)
def test_a_hostile_megabyte_takes_no_longer_than_any_other(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    start = time.process_time()
    without_furniture(paragraphs(text))
    one_line(text)
    assert time.process_time() - start < 5  # 1 s where it was measured; a quadratic step takes minutes
