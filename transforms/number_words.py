"""Words that stand for a number, a weekday or a month: what changes when a template is filled in anew.

Words with another common meaning are left out: May, March, second, half, `un`, `sept`, `sol`.
"""

import re
import unicodedata

_WORDS = """
one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred third january february april june july august
september october november december jan feb apr jun jul aug sep oct nov dec
monday tuesday wednesday thursday friday saturday sunday
zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn zwanzig dreißig vierzig fünfzig hundert januar
februar märz mai juni juli oktober dezember montag dienstag mittwoch donnerstag freitag samstag sonntag
dos tres cuatro cinco seis siete ocho nueve diez once doce quince veinte treinta cuarenta cincuenta cien enero febrero
marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre lunes martes miércoles jueves viernes sábado
domingo
deux trois quatre cinq huit neuf dix onze douze quinze vingt trente quarante cinquante cent janvier février mars avril
juin juillet août septembre octobre novembre décembre lundi mardi mercredi jeudi vendredi samedi dimanche
tre quattro cinque sei sette otto nove dieci venti trenta cento gennaio febbraio aprile maggio giugno luglio settembre
ottobre dicembre lunedì martedì mercoledì giovedì venerdì sabato domenica
dois três quatro oito dez vinte trinta cem janeiro fevereiro março junho julho setembro outubro novembro dezembro
segunda terça quarta quinta sexta
واحد اثنان ثلاثة أربعة خمسة ستة سبعة ثمانية تسعة عشرة عشرون ثلاثون مئة يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس
سبتمبر أكتوبر نوفمبر ديسمبر الاثنين الثلاثاء الأربعاء الخميس الجمعة السبت الأحد
周一 周二 周三 周四 周五 周六 周日 期一 期二 期三 期四 期五 期六 期日
"""
NUMBER_WORDS = frozenset(unicodedata.normalize("NFKC", _WORDS).casefold().split())
"""English, German, Spanish, French, Italian, Portuguese, Arabic; Chinese weekdays as pairs of characters."""
_HAN_NUMBER = re.compile("[〇一二两三四五六七八九十百千万亿]{2}|[二两三四五六七八九十][人名死伤月日号年岁例]")


def is_number(word: str) -> bool:
    """Whether a token, as `identity.tokens` gives it or a pair of Chinese characters, stands for a number."""
    return word[0].isdigit() or word in NUMBER_WORDS or bool(_HAN_NUMBER.fullmatch(word))
