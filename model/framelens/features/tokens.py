"""From text to tokens: the readable reference that the faster engines must equal.

The specification, in the order the steps happen:

1. **Characters** are classed and folded by `framelens.features.alphabet`: Latin letters become lower-case
   ASCII (``É`` is ``e``, ``ß`` is ``ss``), invisible characters vanish, letters of other scripts separate and
   are counted.
2. **Words** are runs of letters; an apostrophe (straight or curly) between two letters is dropped, so
   ``don't`` is ``dont``. A final ``'s``, ``'re``, ``'ll``, ``'ve``, ``'m`` or ``'d`` is cut off:
   ``minister's`` is ``minister``. A lower-case letter on its own (but for ``a`` and ``i``) and the stray
   halves ``re``, ``ll``, ``ve`` leave no token. Collectors lose apostrophes in many ways; the featuriser must
   not tell one collector from another.
3. **Names** are masked: a word whose first letter is upper-case and which is not in the list of common words
   (words that the corpus writes in lower case in the middle of a sentence, plus titles such as ``president``)
   is a `Kind.NAME`. Names of countries (the lexicon's category ``nation``: states, their adjectives, people
   and capitals, all alike) are masked as ``<nation>``, all others as ``<name>``. Any number of names of one
   sort in a row is one token. No name reaches the model, nor which country it was.
4. **Numbers** are runs of digits, with ``. , : /`` between two digits inside them, and are masked:
   `Kind.NUMBER`.
5. **Punctuation** marks are tokens of their own: ``. , ; : ? ! ( ) - $ % "``. Variants fold to these. A
   hyphen between two letters or digits separates and leaves no token; any other hyphen is a dash, and dashes
   in a row are one.
6. **Quotation.** A token is quoted speech (`Field.QUOTED`) or the reporter's own voice (`Field.REPORTER`). A
   curly or low quotation mark or guillemet opens and its counterpart closes; a straight mark toggles; U+2018
   opens where the character before it is no letter or digit, and what it opened is closed by U+2019 before a
   character that is no letter. Marks inside a quotation of another style do nothing. A line break ends a
   quotation: an unclosed mark reaches no further than its paragraph. And so does the `QUOTATION_LIMIT`-th
   token, because a paragraph can be a whole article. A double mark leaves the token ``"`` in the reporter's
   voice; a single one leaves none.
7. **Paragraphs** end at line breaks. No n-gram crosses one.
8. **Sentences** are counted at ``. ? !`` before white space, a closing mark or the end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import NamedTuple

from framelens.features.alphabet import CharClass, char_class, fold_table, pattern_of, upper_table
from framelens.features.lexicon import NATION

QUOTATION_LIMIT = 150
"""A quotation of more tokens than this was never closed; the reporter's voice resumes."""


CLITICS = frozenset({"s", "re", "ll", "ve", "m", "d"})
"""Cut off behind an apostrophe."""

FRAGMENTS = frozenset("bcdefghjklmnopqrstuvwxyz") | {"re", "ll", "ve"}
"""Lower-case words that leave no token: what is left of a contraction whose apostrophe became a space."""


class Kind(IntEnum):
    """What a token is."""

    WORD = 0
    NAME = 1
    NUMBER = 2
    PUNCTUATION = 3


class Field(IntEnum):
    """Whose words a token is."""

    REPORTER = 0
    QUOTED = 1


NAME_TOKEN = "<name>"
NATION_TOKEN = "<nation>"
NUMBER_TOKEN = "<num>"


@dataclass(slots=True)
class Token:
    """One token and where it stood.

    Attributes
    ----------
    text
        The folded word, `NAME_TOKEN`, `NATION_TOKEN`, `NUMBER_TOKEN` or a punctuation mark.
    kind, field
        See `Kind` and `Field`.
    paragraph
        Index of the paragraph, from 0; only paragraphs with a token count.
    start, stop
        Offsets into the text, in characters; ``text[start:stop]`` is what the token was made from.
    letters
        Length of the folded word in ASCII letters; 0 for numbers and punctuation.
    shouted
        Two letters or more and all of them upper-case, those of a clitic too.
    closes_sentence
        A full stop, question or exclamation mark with white space, a closing mark or the end behind it.
    """

    text: str
    kind: Kind
    field: Field
    paragraph: int
    start: int
    stop: int
    letters: int = 0
    shouted: bool = False
    closes_sentence: bool = False


@dataclass(slots=True)
class TokenStream:
    """The tokens of one article and the two counts that leave no token of their own."""

    tokens: list[Token]
    foreign_letters: int
    quotations: int


def tokenize(text: str, common_words: Mapping[str, int]) -> TokenStream:
    """Split one article into tokens as the module's docstring specifies.

    Parameters
    ----------
    text
        The article, already cleaned.
    common_words
        Folded words that are not names even when they are capitalised, and their categories; and names of
        countries, with the mask `NATION` (`framelens.features.lexicon.word_masks`).
    """
    return _Tokenizer(text, common_words).run()


class FoldedWord(NamedTuple):
    """A word as the model sees it, and what its letters looked like."""

    word: str
    is_upper: bool
    """The first letter is upper-case."""
    shouted: bool
    """Two letters or more, all upper-case, those of a clitic too."""


def fold_word(surface: str) -> FoldedWord:
    """Step 2 of the specification for one word as it stands in the text, apostrophes and all.

    Examples
    --------
    >>> fold_word("Minister’s").word, fold_word("don't").word, fold_word("Œuvre").word
    ('minister', 'dont', 'oeuvre')
    """
    if surface.isascii() and surface.isalpha():
        is_upper = surface[0].isupper()
        return FoldedWord(surface.lower(), is_upper, is_upper and len(surface) > 1 and surface.isupper())
    folds, uppers = fold_table(), upper_table()
    letters: list[str] = []
    cases: list[bool] = []
    cut = 0  # where the letters behind the last apostrophe begin
    for code in map(ord, surface):
        kind = char_class(code)
        if kind == CharClass.LETTER:
            letters += [chr(c) for c in folds[code] if c]
            cases.append(bool(uppers[code]))
        elif kind == CharClass.APOSTROPHE:
            cut = len(letters)
    if cut and "".join(letters[cut:]) in CLITICS:
        letters = letters[:cut]
    return FoldedWord("".join(letters), cases[0], len(cases) > 1 and all(cases))


@cache
def _scanner() -> re.Pattern[str]:
    """Groups: 1 a word, 2 a number, 3 foreign letters, 4 any other character that is not just a separator."""
    letter, digit, foreign = map(pattern_of, (CharClass.LETTER, CharClass.DIGIT, CharClass.FOREIGN))
    invisible, apostrophe = map(pattern_of, (CharClass.INVISIBLE, CharClass.APOSTROPHE))
    mark = pattern_of(*(kind for kind in CharClass if CharClass.NEWLINE <= kind < CharClass.FOREIGN))
    inner = f"[{invisible}]|[{apostrophe}](?=[{invisible}]*[{letter}])"
    return re.compile(
        f"([{letter}]+(?:(?:{inner})[{letter}]*)*)"
        f"|([{digit}](?:[{digit}{invisible}]|[.,:/](?=[{invisible}]*[{digit}]))*)"
        f"|([{foreign}]+)"
        f"|([{mark}])"
    )


class _Tokenizer:
    """One pass over one text; the state is what the specification speaks of."""

    def __init__(self, text: str, common_words: Mapping[str, int]) -> None:
        self.text = text
        self.common = common_words
        self.tokens: list[Token] = []
        self.foreign = 0
        self.quotations = 0
        self.paragraph = -1
        self.new_paragraph = True
        self.quote_style: CharClass | None = None  # what opened the quotation
        self.quoted_tokens = 0

    def run(self) -> TokenStream:
        handlers = (self._mark, self._word, self._number, self._foreign, self._mark)
        for match in _scanner().finditer(self.text):
            handlers[match.lastindex or 0](*match.span())
        return TokenStream(self.tokens, self.foreign, self.quotations)

    # -- words and numbers ---------------------------------------------------------------------------------

    def _word(self, start: int, stop: int) -> None:
        surface = self.text[start:stop]
        word, is_upper, shouted = fold_word(surface)
        if word in FRAGMENTS and not is_upper:
            return
        text, kind = word, Kind.WORD
        if is_upper and self.common.get(word, NATION) == NATION:
            text, kind = NATION_TOKEN if word in self.common else NAME_TOKEN, Kind.NAME
        stop = self._without_invisible(stop)
        self._emit(Token(text, kind, Field.REPORTER, 0, start, stop, len(word), shouted))

    def _number(self, start: int, stop: int) -> None:
        stop = self._without_invisible(stop)
        self._emit(Token(NUMBER_TOKEN, Kind.NUMBER, Field.REPORTER, 0, start, stop))

    def _without_invisible(self, stop: int) -> int:
        while char_class(ord(self.text[stop - 1])) == CharClass.INVISIBLE:
            stop -= 1
        return stop

    # -- everything else ------------------------------------------------------------------------------------

    def _foreign(self, start: int, stop: int) -> None:
        self.foreign += stop - start

    def _mark(self, position: int, _stop: int) -> None:
        kind = char_class(ord(self.text[position]))
        if kind == CharClass.NEWLINE:
            self.new_paragraph = True
            self.quote_style = None
        elif kind == CharClass.HYPHEN:
            joins = (CharClass.LETTER, CharClass.DIGIT)
            if not (self._previous_visible(position) in joins and self._next_visible(position + 1) in joins):
                self._punctuation("-", position)
        elif kind == CharClass.PUNCTUATION:
            self._punctuation(chr(fold_table()[ord(self.text[position])][0]), position)
        elif kind in (CharClass.QUOTE_STRAIGHT, CharClass.QUOTE_OPEN, CharClass.QUOTE_CLOSE):
            self._double_quote(position, kind)
        elif kind == CharClass.SINGLE_OPEN:
            if self.quote_style is None and self._previous_visible(position) not in (
                CharClass.LETTER,
                CharClass.DIGIT,
            ):
                self._open(CharClass.SINGLE_OPEN)
        elif (
            kind == CharClass.APOSTROPHE
            and self.text[position] == "\u2019"
            and self.quote_style == CharClass.SINGLE_OPEN
        ):
            self.quote_style = None  # a letter behind it would have made it part of a word

    def _double_quote(self, position: int, kind: int) -> None:
        style = self.quote_style
        if style is None:
            self._punctuation('"', position)
            if kind != CharClass.QUOTE_CLOSE:
                self._open(CharClass(kind))
        elif (style, kind) in (
            (CharClass.QUOTE_STRAIGHT, CharClass.QUOTE_STRAIGHT),
            (CharClass.QUOTE_OPEN, CharClass.QUOTE_CLOSE),
        ):
            self.quote_style = None
            self._punctuation('"', position)

    def _open(self, style: CharClass) -> None:
        self.quote_style = style
        self.quoted_tokens = 0
        self.quotations += 1

    def _punctuation(self, mark: str, position: int) -> None:
        closes = mark in ".?!" and self._closes_sentence(position + 1)
        self._emit(
            Token(mark, Kind.PUNCTUATION, Field.REPORTER, 0, position, position + 1, closes_sentence=closes)
        )

    def _emit(self, token: Token) -> None:
        """Place the token: paragraph, field, and the collapse of names and dashes in a row."""
        if self.quote_style is not None:
            self.quoted_tokens += 1
            if self.quoted_tokens > QUOTATION_LIMIT:
                self.quote_style = None
            else:
                token.field = Field.QUOTED
        if self.new_paragraph:
            self.paragraph += 1
            self.new_paragraph = False
        elif token.kind is Kind.NAME or token.text == "-":
            last = self.tokens[-1]
            if last.text == token.text and last.field is token.field:
                last.stop = token.stop
                last.letters += token.letters
                last.shouted = last.shouted or token.shouted
                return
        token.paragraph = self.paragraph
        self.tokens.append(token)

    # -- looking around -------------------------------------------------------------------------------------

    def _next_visible(self, position: int) -> int:
        while position < len(self.text):
            kind = char_class(ord(self.text[position]))
            if kind != CharClass.INVISIBLE:
                return kind
            position += 1
        return CharClass.NEWLINE

    def _previous_visible(self, position: int) -> int:
        while position > 0:
            position -= 1
            kind = char_class(ord(self.text[position]))
            if kind != CharClass.INVISIBLE:
                return kind
        return CharClass.NEWLINE

    def _closes_sentence(self, position: int) -> bool:
        return self._next_visible(position) not in (
            CharClass.LETTER,
            CharClass.DIGIT,
            CharClass.PUNCTUATION,
            CharClass.HYPHEN,
            CharClass.FOREIGN,
        )


def ngrams(tokens: list[Token], longest: int = 3) -> Iterator[tuple[str, Field, int, int]]:
    """Every n-gram of 1 to `longest` tokens that holds a word and crosses no paragraph.

    Yields
    ------
    (term, field, first, last)
        The tokens joined by spaces, the field of the last token, and the indices of the first and last token.
    """
    for last, token in enumerate(tokens):
        has_word = False
        for first in range(last, max(-1, last - longest), -1):
            if tokens[first].paragraph != token.paragraph:
                break
            has_word = has_word or tokens[first].kind == Kind.WORD
            if has_word:
                yield " ".join(t.text for t in tokens[first : last + 1]), token.field, first, last
