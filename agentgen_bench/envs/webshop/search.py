"""BM25 as Anserini and Lucene compute it: index arrays, ranking, and a builder of bounded memory.

score = sum over distinct query terms of w - w / (1 + tf * norm), w = count * ln(1 + (N - df + .5) / (df + .5)),
norm = 1 / (k1 * (1 - b + b * length / mean length)), k1 = .9, b = .4, all in float32, lengths rounded as Lucene's
SmallFloat does (Robertson and Zaragoza 2009, Lucene's BM25Similarity). Ties go to the smaller asin.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from agentgen_bench.envs.webshop.analyzer import terms

K1 = np.float32(0.9)
B = np.float32(0.4)
BLOCK = 64  # scores per block when the best few of many are looked for
CHUNK_DOCUMENTS = 4096
SPILL_POSTINGS = 8_000_000  # postings kept in memory while building, 80 MB, before they go to a scratch file
KEPT_TERMS = 100_000  # terms whose place is remembered, some 30 MB
_EXACT_LENGTHS = 24  # SmallFloat stores lengths below this one exactly

IntArray = npt.NDArray[np.integer[Any]]
FloatArray = npt.NDArray[np.floating[Any]]


class IndexArrays(NamedTuple):
    """The index as flat arrays, in memory or mapped from files; terms are sorted by their UTF-8 bytes."""

    term_bytes: npt.NDArray[np.uint8]  # all terms, joined
    term_ends: IntArray  # (terms,) where each term ends in term_bytes
    starts: IntArray  # (terms + 1,) where each term's postings start
    documents: IntArray  # (postings,)
    impacts: FloatArray  # (postings,) score of the document for the term once in the query
    ranks: IntArray  # (documents,) position of the document's asin among all asins in order


class SearchIndex:
    """An immutable index; `search` is a pure function of the query."""

    def __init__(self, arrays: IndexArrays) -> None:
        """Wrap the arrays; they are never written to."""
        self.arrays = arrays
        self._terms = memoryview(arrays.term_bytes.tobytes())
        self._postings: dict[str, tuple[IntArray, FloatArray] | None] = {}

    def search(self, query: str, k: int = 50) -> tuple[int, ...]:
        """Return the numbers of the best `k` documents, best first; fewer where fewer hold any word of the query."""
        scores = self.scores(query)
        return () if scores is None else _best(scores, k, self.arrays.ranks)

    def scores(self, query: str) -> FloatArray | None:
        """Return the score of every document, shape (documents,), or None where no term is indexed."""
        documents, impacts = [], []
        for term, count in Counter(terms(query)).items():
            found = self._postings_of(term)
            if found is not None:
                documents.append(found[0])
                impacts.append(found[1] if count == 1 else found[1] * np.float32(count))
        if not documents:
            return None
        total = np.bincount(np.concatenate(documents), np.concatenate(impacts), minlength=len(self.arrays.ranks))
        return total.astype(np.float32)

    def _postings_of(self, term: str) -> tuple[IntArray, FloatArray] | None:
        """Return a term's documents and impacts, None where it is not indexed; remembers what was asked."""
        if term in self._postings:
            return self._postings[term]
        number = self._term_number(term.encode())
        found = None
        if number is not None:
            start, end = self.arrays.starts[number : number + 2]
            found = self.arrays.documents[start:end], self.arrays.impacts[start:end]
        if len(self._postings) >= KEPT_TERMS:
            self._postings.clear()
        self._postings[term] = found
        return found

    def _term_number(self, term: bytes) -> int | None:
        ends, low, high = self.arrays.term_ends, 0, len(self.arrays.term_ends)
        while low < high:
            middle = (low + high) // 2
            start = int(ends[middle - 1]) if middle else 0
            found = bytes(self._terms[start : int(ends[middle])])
            if found == term:
                return middle
            low, high = (middle + 1, high) if found < term else (low, middle)
        return None


def _best(scores: FloatArray, k: int, ranks: IntArray) -> tuple[int, ...]:
    """Return the `k` best documents with a score above 0, ties by rank.

    The k-th best maximum over blocks is a score that at least k documents reach, so only those need sorting.
    """
    blocks = len(scores) // BLOCK
    tops = scores[: blocks * BLOCK].reshape(blocks, BLOCK).max(axis=1) if blocks > 4 * k else scores
    floor = np.partition(tops, len(tops) - k)[len(tops) - k] if len(tops) > k else 0.0
    found = np.flatnonzero(scores >= floor) if floor > 0 else np.flatnonzero(scores)
    order = np.lexsort((ranks[found], -scores[found]))
    return tuple(found[order[:k]].tolist())


class IndexBuilder:
    """Collects documents in order and writes the arrays; postings beyond a limit wait in files below `scratch`."""

    def __init__(self, scratch: Path | None = None) -> None:
        """Start empty; without `scratch` all postings stay in memory."""
        self._scratch = scratch
        self._numbers: dict[str, int] = {}
        self._lengths: list[int] = []
        self._chunk: list[int] = []
        self._chunk_start = 0
        self._runs: list[_Run] = []
        self._waiting: list[Path] = []

    def add(self, text: str) -> None:
        """Index one more document."""
        numbers = self._numbers
        found = [numbers.setdefault(term, len(numbers)) for term in terms(text)]
        self._chunk.extend(found)
        self._lengths.append(len(found))
        if len(self._lengths) - self._chunk_start >= CHUNK_DOCUMENTS:
            self._close_chunk()

    def build(self, asins: Sequence[str], folder: Path | None = None) -> IndexArrays:
        """Return the arrays; with `folder` the two large ones are files there, mapped into memory."""
        self._close_chunk()
        order = sorted(self._numbers, key=str.encode)
        new_number = np.empty(len(order), np.int64)
        new_number[[self._numbers[term] for term in order]] = np.arange(len(order))
        frequencies = self._document_frequencies(len(order))[[self._numbers[term] for term in order]]
        starts = np.concatenate(([0], np.cumsum(frequencies))).astype(np.int64)
        documents = _allocated(folder, "documents", np.int32, int(starts[-1]))
        impacts = _allocated(folder, "impacts", np.float32, int(starts[-1]))
        self._place(new_number, starts, frequencies, documents, impacts)
        encoded = [term.encode() for term in order]
        return IndexArrays(
            np.frombuffer(b"".join(encoded), np.uint8),
            np.cumsum([len(term) for term in encoded], dtype=np.int64),
            starts,
            documents,
            impacts,
            np.argsort(np.argsort(np.array(asins))).astype(np.int32),
        )

    def _place(
        self, new_number: IntArray, starts: IntArray, frequencies: IntArray, documents: IntArray, impacts: FloatArray
    ) -> None:
        """Write every posting where its term's postings lie; runs come in document order."""
        norms = _norms(np.array(self._lengths, np.int64))
        weights = _weights(frequencies, len(self._lengths))
        cursor = starts[:-1].copy()
        for run in self._all_runs():
            numbers = new_number[run.terms]
            order = np.argsort(numbers, kind="stable")
            numbers = numbers[order]
            distinct, first, counts = np.unique(numbers, return_index=True, return_counts=True)
            places = np.repeat(cursor[distinct] - first, counts) + np.arange(len(numbers))
            cursor[distinct] += counts
            documents[places] = run.documents[order]
            weight = weights[numbers]
            tf = run.frequencies[order].astype(np.float32)
            impacts[places] = weight - weight / (np.float32(1) + tf * norms[run.documents[order]])

    def _close_chunk(self) -> None:
        lengths = self._lengths[self._chunk_start :]
        if not lengths:
            return
        local = np.repeat(np.arange(len(lengths)), lengths)
        keys, counts = np.unique(np.array(self._chunk, np.int64) * len(lengths) + local, return_counts=True)
        term, document = np.divmod(keys, len(lengths))
        self._runs.append(
            _Run(term.astype(np.int32), (document + self._chunk_start).astype(np.int32), counts.astype(np.uint16))
        )
        self._chunk, self._chunk_start = [], len(self._lengths)
        if self._scratch is not None and sum(len(run.terms) for run in self._runs) >= SPILL_POSTINGS:
            self._spill(self._scratch)

    def _spill(self, scratch: Path) -> None:
        for run in self._runs:
            path = scratch / f"run{len(self._waiting)}.npz"
            np.savez(path, terms=run.terms, documents=run.documents, frequencies=run.frequencies)
            self._waiting.append(path)
        self._runs = []

    def _all_runs(self) -> "Iterator[_Run]":
        """Yield the runs in document order: those in files one by one, then those still in memory."""
        for path in self._waiting:
            with np.load(path) as run:
                yield _Run(run["terms"], run["documents"], run["frequencies"])
        yield from self._runs

    def _document_frequencies(self, n_terms: int) -> IntArray:
        total = np.zeros(n_terms, np.int64)
        for run in self._all_runs():
            total += np.bincount(run.terms, minlength=n_terms)
        return total


class _Run(NamedTuple):
    """Postings of a stretch of documents, sorted by term, then document."""

    terms: IntArray
    documents: IntArray
    frequencies: IntArray


def _allocated(folder: Path | None, name: str, dtype: type, length: int) -> npt.NDArray[Any]:
    if folder is None or length == 0:
        return np.empty(length, dtype)
    return np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=dtype, shape=(length,))


def _weights(frequencies: IntArray, n_documents: int) -> FloatArray:
    weights: FloatArray = np.log(1 + (n_documents - frequencies + 0.5) / (frequencies + 0.5)).astype(np.float32)
    return weights


def _norms(lengths: IntArray) -> FloatArray:
    """Return 1 / (k1 * (1 - b + b * length / mean length)) per document, in Lucene's order of operations."""
    mean = np.float32(lengths.mean()) if lengths.any() else np.float32(1)
    rounded = _small_float(lengths).astype(np.float32)
    return np.float32(1) / (K1 * ((np.float32(1) - B) + B * rounded / mean))


def _small_float(lengths: IntArray) -> IntArray:
    """Return lengths as Lucene keeps them in one byte: exact below 24, then four significant bits."""
    above = np.maximum(lengths - _EXACT_LENGTHS, 0)
    shift = np.maximum(np.frexp(above.astype(np.float64))[1] - 4, 0)
    return np.where(lengths < _EXACT_LENGTHS, lengths, _EXACT_LENGTHS + ((above >> shift) << shift))
