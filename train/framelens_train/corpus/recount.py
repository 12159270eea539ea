"""The same counts in the columns of another vocabulary."""

from __future__ import annotations

import numpy as np

from framelens.features.batch import FeatureBatch
from framelens.features.vocabulary import Vocabulary


def recount(batch: FeatureBatch, old: Vocabulary, new: Vocabulary) -> FeatureBatch:
    """Counts of the terms of `new` that `old` has; the others' columns stay empty."""
    column = np.array([new.index.get(term, -1) for term in old.terms], dtype=np.int32)
    term, row = column[batch.term], batch.row
    order = np.lexsort((term, row))
    order = order[term[order] >= 0]
    lengths = np.bincount(row[order], minlength=batch.rows)
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return FeatureBatch(indptr, term[order], batch.reporter[order], batch.quoted[order], batch.measures)


def by_frequency(batch: FeatureBatch, vocabulary: Vocabulary) -> tuple[FeatureBatch, Vocabulary]:
    """The same counts with the terms in the order of how many articles they stand in; unused terms are
    dropped.
    """
    documents = np.bincount(batch.term, minlength=len(vocabulary))
    order = np.lexsort((np.array(vocabulary.terms, dtype=object).astype(str), -documents))
    terms = [vocabulary.terms[i] for i in order if documents[i]]
    ordered = Vocabulary(terms)
    return recount(batch, vocabulary, ordered), ordered
