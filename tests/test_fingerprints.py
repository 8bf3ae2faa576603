"""Fingerprints: what they are made of, in any script, however many texts come at once, and however hostile they are."""

import random
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms import near
from transforms.fingerprints import KEYS, NUMBERS, SHORTEST, SKETCH, Fingerprint, fingerprints, unpack, words
from transforms.near import Rules, Side, judge
from transforms.number_words import is_number

ENGLISH = (
    "The council voted on Tuesday to close the old harbour bridge for 14 months. Engineers had found cracks "
    "in two of its piers, and said that lorries must not use it any longer. A ferry will take people to the "
    "other side, every ten minutes by day and every half hour at night. The mayor called it a hard decision. "
    "Shop owners on the island fear for their trade and want to be paid for what they lose. The council will "
    "hear them in March, when the budget is known."
)
GERMAN = (
    "Der Stadtrat hat am Dienstag beschlossen, die alte Hafenbrücke für 14 Monate zu sperren. Ingenieure "
    "hatten in zwei Pfeilern Risse gefunden und erklärt, dass Lastwagen sie nicht mehr befahren dürfen. Eine "
    "Fähre bringt die Menschen tagsüber alle zehn Minuten und nachts jede halbe Stunde hinüber. Die "
    "Bürgermeisterin sprach von einer schweren Entscheidung. Ladenbesitzer auf der Insel fürchten um ihr "
    "Geschäft und verlangen Ersatz für das, was ihnen entgeht."
)
SPANISH = (
    "El ayuntamiento acordó el martes cerrar el viejo puente del puerto durante 14 meses. Los ingenieros "
    "hallaron grietas en dos de sus pilares y dijeron que los camiones no deben usarlo más. Un transbordador "
    "llevará a la gente a la otra orilla cada diez minutos de día y cada media hora de noche. La alcaldesa "
    "habló de una decisión difícil. Los dueños de las tiendas de la isla temen por su negocio y quieren que "
    "se les pague lo que pierdan en esos meses."
)
ARABIC = (
    "قرر مجلس المدينة يوم الثلاثاء إغلاق جسر الميناء القديم لمدة 14 شهرا. وكان المهندسون قد وجدوا شقوقا في "
    "اثنين من أعمدته وقالوا إن الشاحنات يجب ألا تستخدمه بعد الآن. وستنقل عبارة الناس إلى الجانب الآخر كل عشر "
    "دقائق في النهار وكل نصف ساعة في الليل. ووصفت رئيسة البلدية القرار بأنه صعب. ويخشى أصحاب المتاجر في "
    "الجزيرة على تجارتهم ويريدون تعويضا عما سيخسرونه خلال هذه الأشهر الطويلة من العمل."
)
CHINESE = (
    "市议会周二决定关闭旧港口大桥14个月。工程师在两个桥墩上发现了裂缝，并表示卡车不能再使用这座桥。渡轮"
    "将把人们送到对岸，白天每十分钟一班，夜间每半小时一班。市长称这是一个艰难的决定。岛上的店主担心他们的"
    "生意，希望得到损失的赔偿。市议会将在三月听取他们的意见，届时预算将会公布。居民们说他们已经等待新桥很"
    "多年了，希望这一次工程能够按时完成。"
)
THAI = (
    "สภาเมืองมีมติเมื่อวันอังคารให้ปิดสะพานท่าเรือเก่าเ"
    "ป็นเวลา 14 เดือน วิศวกรพบรอยร้าวในเสาสองต้นและกล่า"
    "วว่ารถบรรทุกต้องไม่ใช้สะพานนี้อีกต่อไปเรือข้ามฟากจ"
    "ะพาผู้คนไปอีกฝั่งทุกสิบนาทีในตอนกลางวันและทุกครึ่ง"
    "ชั่วโมงในตอนกลางคืน นายกเทศมนตรีเรียกว่าเป็นการตัด"
    "สินใจที่ยากลำบาก"
)
LANGUAGES = {
    "English": ENGLISH, "German": GERMAN, "Spanish": SPANISH, "Arabic": ARABIC, "Chinese": CHINESE, "Thai": THAI
}  # fmt: skip


def of(text: str) -> Fingerprint:
    (made,) = fingerprints([text])
    return made


def method(one: str, other: str) -> str:
    return judge(Side(of(one), "", None), Side(of(other), "", None), Rules(), lambda: (one, other)).method


def halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


@pytest.mark.parametrize("language", LANGUAGES)
def test_copies_are_found_in_any_language(language: str) -> None:
    text = LANGUAGES[language]
    first, second = halves(text)
    assert method(text, text) == "jaccard"
    assert method(text, first) in ("jaccard", "containment")
    assert method(text, f"{second} {first}") == "jaccard"
    assert method(text, text.replace("14", "27")) in ("", "jaccard")  # one number of several
    assert not method(first, second)
    assert all(not method(text, other) for name, other in LANGUAGES.items() if name != language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_marks_that_nobody_sees_change_nothing(language: str) -> None:
    text = LANGUAGES[language]
    littered = "".join(char + "\u200b\u200f" * (at % 7 == 0) for at, char in enumerate(text))
    assert of(littered).pack() == of(text).pack()


SAME = [
    ("قَرَّرَ مَجلِسُ المَدينة", "قرر مجلس المدينة"),
    ("Caf\u0065\u0301 M\u00fcller", "Café Mu\u0308ller"),
    ("DER “Stadtrat”", 'der "stadtrat"'),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_ways_to_write_the_same(one: str, other: str) -> None:
    assert words(one) == words(other)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("市议会iPhone手机", ["市议", "议会", "iphone", "手机"]),
        ("東京 2026年", ["東京", "2026", "年"]),
        ("한국 뉴스", ["한국", "뉴스"]),
        ("Straße 3,5", ["strasse", "3,5"]),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


NUMERIC = ["7", "3.5", "1,234", "three", "dienstag", "martes", "février", "周二", "三十", "五人", "٧"]
PLAIN = ["may", "march", "second", "half", "bridge", "市议", "桥墩", "un"]


@pytest.mark.parametrize("word", NUMERIC + PLAIN)
def test_numbers(word: str) -> None:
    assert is_number(word) == (word in NUMERIC)


def test_numbers_have_one_form() -> None:
    assert np.array_equal(of("1,234,567.5 and 7").numbers, of("1.234.567,5 and ٧").numbers)
    assert not np.array_equal(of("1.5").numbers, of("1.6").numbers)


def test_what_is_kept_is_bounded_and_survives_packing() -> None:
    text = " ".join(f"word{number}" for number in range(3_000))
    made = of(text)
    assert (len(made.keys), len(made.sketch), len(made.numbers)) == (KEYS, SKETCH, NUMBERS)
    assert made.shingles == 6_000 - 2 and made.tokens == 6_000
    packed = made.pack()
    assert len(packed) < 900 and unpack(packed).pack() == packed
    for hashes in made[2:]:
        assert (np.diff(hashes.astype(np.int64)) > 0).all()


def plain_sketch(text: str, size: int, most: int) -> int:
    tokens = words(text)
    return min(len({tuple(tokens[at : at + size]) for at in range(len(tokens) - size + 1)}), most)


@given(st.lists(st.text(alphabet="ab 1é市", max_size=200), max_size=8))
@settings(max_examples=60, deadline=None)
def test_texts_do_not_touch_each_other(texts: list[str]) -> None:
    """As many hashes as a plain count gives, and the same for a text alone as among others."""
    together = [one.pack() for one in fingerprints(texts)]
    assert together == [of(text).pack() for text in texts]
    for text, data in zip(texts, together, strict=True):
        made = unpack(data)
        long = made.tokens >= SHORTEST
        assert len(made.keys) == (plain_sketch(text, 5, KEYS) if long else 0)
        assert len(made.sketch) == (plain_sketch(text, 3, SKETCH) if long else 0)


HOSTILE = {
    "empty": "",
    "one word": "word",
    "one word, repeated": "word " * 200_000,
    "one letter": "a" * 1_000_000,
    "one sign": "市" * 1_000_000,
    "5 MB": " ".join(f"w{number}" for number in range(700_000)),
    "right-to-left marks": "\u200f\u202eword " * 100_000,
    "zero-width": "w\u200bo\u200dr\ufeffd " * 100_000,
    "marks": "e" + "\u0301" * 500_000,
    "numbers": "1.234.567,8 " * 50_000,
    "surrogates": "a\ud800b " * 50_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_cost_what_their_length_does(name: str) -> None:
    started = time.process_time()
    made = of(HOSTILE[name])
    assert time.process_time() - started < 6
    assert len(made.pack()) < 900


def test_estimates_are_near_the_truth() -> None:
    chance = random.Random(7)
    errors = []
    for _ in range(40):
        tokens = ["".join(chance.choices("abcdefgh", k=5)) for _ in range(600)]
        other = [word if chance.random() < 0.85 else word[::-1] for word in tokens]
        runs = [set(zip(side, side[1:], side[2:], strict=False)) for side in (tokens, other)]
        alike = near.likeness(*(Side(of(" ".join(text)), "", None) for text in (tokens, other)))
        errors.append(abs(alike.jaccard - len(runs[0] & runs[1]) / len(runs[0] | runs[1])))
    assert sum(errors) / len(errors) < 0.05
