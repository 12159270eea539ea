"""What the compiled featuriser is handed: tables, vocabulary and room, and the numbers in them."""

from __future__ import annotations

from typing import NamedTuple

from framelens.features.compiled import I32s, I64s, U8s, U64s

# What a character does: the values of alphabet.CharClass (a test compares them).
SEPARATOR, LETTER, DIGIT, INVISIBLE, NEWLINE, APOSTROPHE, SINGLE_OPEN = 0, 1, 2, 3, 4, 5, 6
QUOTE_STRAIGHT, QUOTE_OPEN, QUOTE_CLOSE, HYPHEN, PUNCTUATION, FOREIGN = 7, 8, 9, 10, 11, 12

# Columns of the kernel's own measures; the marks of `MARKS` and the lexicon's categories by field follow.
FIXED_MEASURES = (
    "words", "quoted_words", "distinct_words", "common_words", "letters", "names", "shouted", "numbers",
    "sentences", "paragraphs", "quotations", "foreign_letters",
)  # fmt: skip
WORDS, QUOTED_WORDS, DISTINCT, COMMON, LETTERS, NAMES, SHOUTED, NUMBERS, SENTENCES = 0, 1, 2, 3, 4, 5, 6, 7, 8
PARAGRAPHS, QUOTATIONS, FOREIGN_LETTERS = 9, 10, 11

# Kinds of tokens, and the bits kept of each.
NOTHING, WORD, NAME, NUMBER, MARK = 0, 1, 2, 3, 4
IS_WORD, IS_QUOTED, IS_FIRST, IS_SHOUTED = 1, 2, 4, 8

BLOCK = 256  # tokens whose n-grams are looked up together


class Tables(NamedTuple):
    """What the kernel knows about characters and words.

    Attributes
    ----------
    classes, folds, uppers, foreign
        As `framelens.features.alphabet` makes them, flat.
    size, foreign_ranges
        Code points in the tables; ranges in `foreign`.
    words, word_mask
        Open-addressing table of the common words, and one less than its slots. A slot is the word's hash,
        then its list of categories plus 2**32 times the column of its term in the vocabulary (-1: none).
    lists, list_starts, list_columns
        How many lists there are; the categories of list i are
        ``list_columns[list_starts[i]:list_starts[i + 1]]``.
    nations
        The list of the names of countries.
    mark_columns
        int32, shape (128,): the measure that counts a punctuation token, by ASCII code; -1 for none.
    first_category, categories
        Column of the first lexicon measure, and how many there are a field.
    quotation_limit
        See `framelens.features.tokens.QUOTATION_LIMIT`.
    """

    classes: U8s
    folds: U8s
    uppers: U8s
    size: int
    foreign: I32s
    foreign_ranges: int
    words: U64s
    word_mask: int
    lists: int
    list_starts: I32s
    list_columns: I32s
    nations: int
    mark_columns: I32s
    first_category: int
    categories: int
    quotation_limit: int


class Terms(NamedTuple):
    """`framelens.features.vocabulary.Vocabulary.table` and `sieve`, and one less than their sizes; and the
    tokens of the longest term.
    """

    keys: U64s
    columns: I32s
    mask: int
    sieve: U8s
    sieve_mask: int
    longest: int


class Scratch(NamedTuple):
    """One thread's room for the tokens of one article.

    Attributes
    ----------
    hashes, flags, columns, starts, stops
        A token's hash, `IS_WORD` and the other bits, the column of a common word (-1: it has none; -2: any
        other token), and its bytes; as long as the longest article has bytes.
    terms, spans
        An n-gram's hash, and its last token times four plus its length; for three times as many tokens as are
        looked at together.
    list_counts
        int32, shape (lists, 2): words of each list of categories, by field; zero between articles.
    seen_words
        For each common word's slot the row that last had it.
    seen_keys, seen_rows
        A set of the hashes of other words; an entry is there when its row is the one at work. A power of two
        of slots, above twice the words that an article of this length can have.
    """

    hashes: U64s
    flags: U8s
    columns: I32s
    starts: I64s
    stops: I64s
    terms: U64s
    spans: I64s
    list_counts: I32s
    seen_words: I32s
    seen_keys: U64s
    seen_rows: I64s
