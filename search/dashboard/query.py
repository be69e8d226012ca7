"""What stands behind the "?" of an address: the state of a page, so that it can be passed on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import get_args
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from search.errors import UserError
from search.study.results import Status, StudyResults, TrialRecord
from spaces.label import label

PAGE_ROWS = 50
COMPARED = (2, 5)
"""How many trials are compared, at least and at most."""
STATUSES: tuple[Status, ...] = get_args(Status)
SORTS: dict[str, tuple[str, Callable[[TrialRecord], tuple[bool, float]]]] = {
    "score": ("best score", lambda t: _known(t.log2_score, -1)),
    "psnr": ("highest PSNR", lambda t: _known(t.psnr_db, -1)),
    "runtime": (
        "shortest run time",
        lambda t: _known(t.estimate.runtime_ms if t.estimate else None),
    ),
    "newest": ("newest", lambda t: (False, -t.number)),
    "oldest": ("oldest", lambda t: (False, t.number)),
}


@dataclass(frozen=True)
class Filter:
    """Which trials of a study are shown, and in what order. `text` is looked for in a network's
    line; `page` counts from 1."""

    statuses: tuple[Status, ...] = ()
    max_ms: float | None = None
    min_db: float | None = None
    text: str = ""
    sort: str = "score"
    page: int = 1

    @classmethod
    def of(cls, query: QueryParams) -> Filter:
        """From an address. Raises UserError for what it cannot mean."""
        statuses = tuple(s for s in STATUSES if s in query.getlist("status"))
        if unknown := set(query.getlist("status")) - {*STATUSES, ""}:
            raise UserError(f"unknown status {min(unknown)[:40]!r}: one of {', '.join(STATUSES)}")
        sort = query.get("sort") or "score"
        if sort not in SORTS:
            raise UserError(f"unknown order {sort[:40]!r}: one of {', '.join(SORTS)}")
        return cls(
            statuses,
            _positive(query, "max_ms"),
            _positive(query, "min_db"),
            query.get("text", "")[:100].strip(),
            sort,
            max(1, int(_positive(query, "page") or 1)),
        )

    def kept(self, results: StudyResults) -> StudyResults:
        """The study with only the trials that pass."""
        if self == replace(Filter(), sort=self.sort, page=self.page):
            return results
        return replace(results, trials=tuple(t for t in results.trials if self._passes(t)))

    def pages(self, count: int) -> int:
        """How many pages so many trials fill."""
        return max(1, math.ceil(count / PAGE_ROWS))

    def rows(self, trials: Sequence[TrialRecord]) -> list[TrialRecord]:
        """This page's trials, in order."""
        ordered = sorted(trials, key=SORTS[self.sort][1])
        return ordered[(self.page - 1) * PAGE_ROWS : self.page * PAGE_ROWS]

    def address(self, **changed: object) -> str:
        """The query of the same state with some of it changed; "" for the plain page."""
        state = replace(self, **changed)  # type: ignore[arg-type]
        pairs: list[tuple[str, object]] = [("status", status) for status in state.statuses]
        for name, value in (("max_ms", state.max_ms), ("min_db", state.min_db)):
            pairs += [(name, f"{value:.12g}")] if value is not None else []
        pairs += [("text", state.text)] if state.text else []
        pairs += [("sort", state.sort)] if state.sort != "score" else []
        pairs += [("page", state.page)] if state.page > 1 else []
        return f"?{urlencode(pairs)}" if pairs else ""

    def _passes(self, trial: TrialRecord) -> bool:
        known = trial.estimate
        return (
            (not self.statuses or trial.status in self.statuses)
            and (self.max_ms is None or (known is not None and known.runtime_ms <= self.max_ms))
            and (
                self.min_db is None or (trial.psnr_db is not None and trial.psnr_db >= self.min_db)
            )
            and (
                not self.text
                or (trial.architecture is not None and self.text in label(trial.architecture))
            )
        )


def compared_numbers(query: QueryParams) -> list[int]:
    """Of "?trials=1,2" or "?trials=1&trials=2". Raises UserError for other than 2 to 5 numbers."""
    words = [word for given in query.getlist("trials") for word in given.split(",") if word.strip()]
    try:
        numbers = list(dict.fromkeys(int(word) for word in words[:100]))
    except ValueError:
        raise UserError("trials are compared by their numbers, as in ?trials=1,2,3") from None
    fewest, most = COMPARED
    if not fewest <= len(numbers) <= most:
        raise UserError(f"compare {fewest} to {most} trials, not {len(numbers)}")
    return numbers


def _known(value: float | None, sign: int = 1) -> tuple[bool, float]:
    """A sort key that has what is not known behind the rest."""
    return value is None, sign * (value or 0.0)


def _positive(query: QueryParams, name: str) -> float | None:
    text = query.get(name, "").strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise UserError(f"{name} must be a number from 0 up, not {text[:40]!r}")
    return value
