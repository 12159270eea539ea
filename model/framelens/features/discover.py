"""Which n-grams of a corpus are worth a column."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from framelens.features import kernel
from framelens.features.alphabet import PUNCTUATION_TOKENS
from framelens.features.arrow import Rows, cores, kernel_tables, make_scratch, rows_of, tasks
from framelens.features.batch import Texts, as_arrow_chunks
from framelens.features.lexicon import word_masks
from framelens.features.reference import MEASURES
from framelens.features.tokens import NAME_TOKEN, NATION_TOKEN, NUMBER_TOKEN, tokenize
from framelens.features.vocabulary import Vocabulary, open_addressing, token_hash

BYTES_PER_PART = 64 << 20
"""Text for which one table of n-grams is made; more text is gone over once for each part of the hashes."""

_Hashes = npt.NDArray[np.uint64]
_Counts = npt.NDArray[np.int64]


def discover_terms(
    texts: Texts, groups: npt.ArrayLike, *, min_documents: int, min_groups: int, max_terms: int
) -> Vocabulary:
    """The n-grams that occur in enough articles and in enough groups.

    Parameters
    ----------
    texts
        n cleaned articles, as `framelens.features.batch.featurize` takes them.
    groups
        Integers, shape (n,): the outlet of each article.
    min_documents, min_groups
        In how many articles and in how many distinct groups a term must occur; at least 1.
    max_terms
        If more terms pass, those with the most groups stay, then those with the most articles; the alphabet
        decides between equals.

    Returns
    -------
    Vocabulary
        In alphabetical order; the same for any number of cores and any order of the articles.

    Raises
    ------
    ValueError
        When there is not one group an article, or a bound is below 1.
    """
    if min(min_documents, min_groups, max_terms) < 1:
        bounds = f"min_documents {min_documents}, min_groups {min_groups}, max_terms {max_terms}"
        raise ValueError(f"{bounds}: each must be 1 or more")
    rows, group = _by_group(texts, groups)
    hashes, documents, spread = _tally(rows, group, min_documents, min_groups)
    if len(hashes) > max_terms:
        # strings are needed for the terms that may stay, and for those that tie with the last of them
        order = np.lexsort((-documents, -spread))
        last = order[max_terms - 1]
        above = (spread > spread[last]) | ((spread == spread[last]) & (documents >= documents[last]))
        hashes, documents, spread = hashes[above], documents[above], spread[above]
    terms = np.array(_strings(rows, hashes), dtype=object)
    best = np.lexsort((terms.astype(str), -documents, -spread))[:max_terms]
    return Vocabulary(sorted(terms[best]))


def _by_group(texts: Texts, groups: npt.ArrayLike) -> tuple[Rows, _Counts]:
    import pyarrow as pa

    chunks = [chunk.cast(pa.large_string()) for chunk in as_arrow_chunks(texts)]
    whole = pa.concat_arrays(chunks) if chunks else pa.array([], type=pa.large_string())
    group = np.asarray(groups)
    if group.shape != (len(whole),):
        raise ValueError(f"groups have the shape {group.shape}; expected one an article, ({len(whole)},)")
    order = np.argsort(group, kind="stable")
    rows = rows_of(whole)
    return Rows(rows.data, rows.starts[order], rows.stops[order]), group[order].astype(np.int64)


def _tally(
    rows: Rows, group: _Counts, min_documents: int, min_groups: int
) -> tuple[_Hashes, _Counts, _Counts]:
    lengths = rows.stops - rows.starts
    parts = 1 << int(lengths.sum() // BYTES_PER_PART).bit_length()
    longest = int(lengths.max(initial=0))

    def part(number: int) -> tuple[_Hashes, _Counts, _Counts]:
        measures = np.zeros(len(MEASURES), dtype=np.int32)
        scratch, tables = make_scratch(longest, longest), kernel_tables()
        slots, others = np.zeros((1 << 16, 2), dtype=np.uint64), np.zeros(1 << 16, dtype=np.int32)
        row, used = 0, np.zeros(1, dtype=np.int64)
        data, end, starts, stops, count = rows.pointed
        while True:
            row = kernel.tally_rows(
                data, end, starts, stops, row, count, group, number, parts, tables, scratch, measures,
                slots, others, len(others), used,
            )  # fmt: skip
            if row == count:
                break
            small, few = slots, others
            slots, others = (
                np.zeros((2 * len(few), 2), dtype=np.uint64),
                np.zeros(2 * len(few), dtype=np.int32),
            )
            kernel.grow_table(small, few, len(few), slots, others)
        documents = (slots[:, 1] & np.uint64(0xFFFFFFFF)).astype(np.int64)
        kept = (documents >= min_documents) & (others + 1 >= min_groups)
        return slots[kept, 0], documents[kept], others[kept].astype(np.int64) + 1

    with ThreadPoolExecutor(min(parts, cores())) as pool:
        results = list(pool.map(part, range(parts)))
    hashes = np.concatenate([r[0] for r in results])
    documents = np.concatenate([r[1] for r in results])
    spread = np.concatenate([r[2] for r in results])
    return hashes, documents, spread


def _strings(rows: Rows, hashes: _Hashes) -> list[str]:
    """The term behind each hash, read where it stands in the text."""
    keys, columns = open_addressing(hashes)
    tokens = np.zeros((len(hashes), 3), dtype=np.uint64)
    places = np.zeros((len(hashes), 3, 2), dtype=np.int64)
    missing = len(hashes)
    for task in tasks(rows):
        if not missing:
            break
        longest = int((task.stops - task.starts).max(initial=0))
        scratch = make_scratch(longest, longest)
        measures = np.zeros(len(MEASURES), dtype=np.int32)
        missing -= kernel.locate_rows(
            *task.pointed, kernel_tables(), scratch, measures, keys, columns, len(keys) - 1, tokens, places
        )
    masked = (NAME_TOKEN, NATION_TOKEN, NUMBER_TOKEN)
    known = {token_hash(token): token for token in (*PUNCTUATION_TOKENS, *masked)}
    common = word_masks()
    terms = []
    for term_tokens, term_places in zip(tokens.tolist(), places.tolist(), strict=True):
        words = []
        for h, (start, stop) in zip(term_tokens, term_places, strict=True):
            if stop == 0:
                break
            if h not in known:
                text = rows.data[start:stop].tobytes().decode("utf-8", "replace")
                known[h] = tokenize(text, common).tokens[0].text
            words.append(known[h])
        terms.append(" ".join(words))
    return terms
