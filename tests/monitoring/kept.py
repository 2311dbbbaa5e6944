"""A watch store, a journal and reference rows as files, of the made-up model."""

import datetime
import io
import json
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from model.record import EVENT, Record, Role
from model.watched import METADATA, Watched
from monitoring import answers
from monitoring.truth import ACTUAL
from tests.monitoring import made

LAST = datetime.date(2024, 12, 28)


def reference(model: made.Model) -> bytes:
    """Reference rows as training leaves them."""
    arrow = pa.Table.from_pandas(model.reference)
    document = msgspec.json.encode(model.watched)
    stream = io.BytesIO()
    pq.write_table(arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), METADATA: document}), stream)
    return stream.getvalue()


def journal(
    folder: Path, watched: Watched, day: datetime.date, rows: pd.DataFrame, role: Role = ""
) -> dict[str, object]:
    """Write answers of a day as the service does; returns the true value of each `prediction_id`."""
    names = [column.name for column in watched.columns().inputs]
    sent = json.loads(rows[names].to_json(orient="records", date_format="iso"))
    scores = answers.scores(rows)
    records = [
        Record(
            event=EVENT,
            time=f"{day.isoformat()}T{place % 24:02d}:00:00.000Z",
            model=watched.model,
            version=watched.version,
            prediction_id=f"{watched.version}-{day.isoformat()}{role}-{place}",
            row={**row, "day": row["day"][:10]},
            scores=scores[place].tolist(),
            prediction=float(scores[place, 0]),
            role=role,
        )
        for place, row in enumerate(sent)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    lines = b"".join(msgspec.json.encode(record) + b"\n" for record in records)
    (folder / f"{watched.version}-{day.isoformat()}{role}.jsonl").write_bytes(lines)
    return dict(zip([record.prediction_id for record in records], rows[ACTUAL].tolist(), strict=True))


def day(back: int, count: int = 600, **changed: object) -> pd.DataFrame:
    """Answers of so many days before `LAST`."""
    number = (LAST - datetime.date(2022, 1, 1)).days - back
    drawn: pd.DataFrame = made.answers(
        "regression",
        np.random.default_rng(number),
        count,
        days=(number, number + 1),
        **changed,  # type: ignore[arg-type]
    )
    return drawn
