"""A raw table as its file has it: headers and columns, of texts or of Arrow's types."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd
import pyarrow as pa

from validation.errors import TableError
from validation.names import normal

READ = "CSV, TSV, Parquet, Arrow (Feather), JSON, Excel, and one of these in a gzip or zip file"
BRING = f"Bring the table itself: {READ}."


@dataclass(frozen=True)
class Loaded:
    """The cells of a table: `index` counts the file's rows from 0, without blank ones; `column` has one column's."""

    index: pd.Index
    column: Callable[[int], "pd.Series | pa.ChunkedArray"]


@dataclass
class RawTable:
    """One table of a file.

    Attributes:
        name: the file's, for messages.
        written: the headers as they stand there.
        load: reads the cells: texts, or what a typed file holds.
        types: Arrow's types of the columns of a typed file; None where all are texts.
        doubles: whether the format has no integers, so that whole numbers may be some.
        remarks: what a person should know of how it is read.
        delimiter: what separates the cells of a text file; None in other formats.
    """

    name: str
    written: Sequence[str]
    load: Callable[[], Loaded]
    types: Sequence[pa.DataType] | None = None
    doubles: bool = False
    remarks: Sequence[str] = ()
    delimiter: str | None = None

    @cached_property
    def loaded(self) -> Loaded:
        """The cells, read when they are first asked for: a wrong header is said before a wrong row."""
        return self.load()

    @property
    def headers(self) -> list[str]:
        """The headers in their one form; one without a name is called as pandas calls it."""
        return [normal(header) or f"Unnamed: {place}" for place, header in enumerate(self.written)]

    def demand_different_headers(self) -> None:
        """Raise TableError if a header occurs twice."""
        doubled = sorted(name for name, times in Counter(self.headers).items() if times > 1)
        if doubled:
            raise TableError(f"{self.name} has two columns with the header {doubled[0]!r}; rename or remove one.")
