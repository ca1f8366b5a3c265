"""Sets of local days as words of 64 bits: what hits() and isolated() count, without a loop over days. As SQL text.

Bit `j` of word `i` stands for day number `origin + 64 i + j`; `origin` is a multiple of 64. So sets of the same origin
merge by `|`, and a later origin drops whole words.
"""

from __future__ import annotations

WORDS = 8  # 449 to 512 days: at least the 430 that formulas may ask for
BITS = 64


def origin_of(last_day: str) -> str:
    """Day number of the first bit of a set whose last possible day has number `last_day`."""
    return f"(shiftright({last_day}, 6) - {WORDS - 1}) * {BITS}"


def word_of(day: str, origin: str, word: int) -> str:
    """The `word`-th word of a set that holds `day` alone (a day number; null = nothing)."""
    place = f"({day} - {origin} - {BITS * word})"
    return f"if({place} >= 0 and {place} < {BITS}, shiftleft(1L, {place}), 0L)"


def hits(words: str, origin: str, first: str, last: str, most: int) -> str:
    """How many days of the set lie from day number `first` to `last`; 0 where a bound is null.

    `most`: the range is never longer than that.
    """
    return _added(f"bit_count({_part(words, origin, first, last, start)})" for start in range(0, most, BITS))


def isolated(words: str, origin: str, first: str, last: str, gap: int, most: int) -> str:
    """How many of them have no later day of the set within `gap` days."""
    counts = []
    for start in range(0, most, BITS):
        later = " | ".join(_chunk(words, f"({first} - {origin} + {start + k})") for k in range(1, gap + 1))
        counts.append(f"bit_count({_part(words, origin, first, last, start)} & ~({later}))")
    return _added(counts)


def _added(counts) -> str:
    return f"cast({' + '.join(counts)} as bigint)"


def _part(words: str, origin: str, first: str, last: str, start: int) -> str:
    """Bits of the 64 days from `first + start` on, those after `last` cut off."""
    return f"({_chunk(words, f'({first} - {origin} + {start})')} & {_mask(f'({last} - {first} - {start} + 1)')})"


def _chunk(words: str, index: str) -> str:
    """64 bits of the set from its `index`-th on, of two words."""
    word, shift = f"shiftright({index}, 6)", f"({index} & {BITS - 1})"
    low = f"shiftrightunsigned({_word(words, word)}, {shift})"
    # Java shifts by 64 as by 0: where nothing is shifted out of the first word, nothing of the second belongs in.
    high = f"if({shift} = 0, 0L, shiftleft({_word(words, f'{word} + 1')}, {BITS} - {shift}))"
    return f"({low} | {high})"


def _word(words: str, index: str) -> str:
    return f"coalesce(get({words}, {index}), 0L)"  # outside the set: nothing


def _mask(length: str) -> str:
    return f"if({length} > 0, shiftrightunsigned(-1L, {BITS} - least({length}, {BITS})), 0L)"
