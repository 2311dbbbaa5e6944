"""What is counted beside requests: rows of the journal and of shadows, lines of the audit, what callers ask for."""

from serving.telemetry import instruments


class JournalMetrics:
    """What becomes of answered rows in the journal."""

    def __init__(self) -> None:
        rows = instruments().journal_rows
        outcomes = ("written", "sampled_out", "dropped", "failed")
        self._rows = {outcome: rows.labels(outcome) for outcome in outcomes}

    def count(self, **rows: int) -> None:
        """Count rows by their outcomes."""
        for outcome, number in rows.items():
            if number:
                self._rows[outcome].inc(number)


class AuditMetrics:
    """What becomes of the lines of the audit."""

    def count(self, **lines: int) -> None:
        """Count lines by their outcomes."""
        for outcome, number in lines.items():
            if number:
                instruments().audit_lines.labels(outcome).inc(number)


class CallerMetrics:
    """What callers ask for; a request counts in memory, and is told here with many others."""

    def requests(self, caller: str, outcome: str, count: int) -> None:
        """Count requests that ended so."""
        instruments().caller_requests.labels(caller, outcome).inc(count)

    def rows(self, caller: str, count: int) -> None:
        """Count rows."""
        instruments().caller_rows.labels(caller).inc(count)


class ChallengerMetrics:
    """What one challenger is doing."""

    def __init__(self, model: str, version: str) -> None:
        self._model = (model, version)
        self._refusals = instruments().challenger_refusals.labels(*self._model)

    def refused(self) -> None:
        """Count a request that the champion had to answer."""
        self._refusals.inc()

    def shadowed(self, **rows: int) -> None:
        """Count rows by their outcomes."""
        for outcome, number in rows.items():
            if number:
                instruments().shadow_rows.labels(*self._model, outcome).inc(number)
