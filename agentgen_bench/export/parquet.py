"""The tables as Parquet, by pyarrow: typed columns, texts unchanged."""

import json
from collections.abc import Sequence
from io import BytesIO
from types import ModuleType

from agentgen_bench.errors import MissingDependencyError, install_hint
from agentgen_bench.export.naming import encodable
from agentgen_bench.export.source import Source
from agentgen_bench.export.tables import Cell, Table, grid_table, tables


def parquet_files(source: Source) -> dict[str, bytes]:
    """Return episodes.parquet and scores.parquet; their metadata holds policy, prompt and versions as JSON.

    Raises:
        MissingDependencyError: pyarrow is not installed.
    """
    pyarrow = _pyarrow()
    about = {"policy": source.policy, "prompt": source.prompt, "versions": source.versions}
    metadata = {f"agentgen_bench.{name}": json.dumps(value) for name, value in about.items()}
    return {f"{name}.parquet": _bytes(pyarrow, table, metadata) for name, table in tables(source).items()}


def grid_parquet(grid: str, sources: Sequence[Source]) -> dict[str, bytes]:
    """Return harness_scores.parquet of a grid of harnesses; raises MissingDependencyError without pyarrow."""
    return {"harness_scores.parquet": _bytes(_pyarrow(), grid_table(grid, sources), {})}


def _pyarrow() -> ModuleType:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingDependencyError(
            f"the format parquet needs pyarrow; install it with: {install_hint('parquet')}"
        ) from None
    return pyarrow  # type: ignore[no-any-return]


def _bytes(pyarrow: ModuleType, table: Table, metadata: dict[str, str]) -> bytes:
    types = {"string": pyarrow.string(), "bool": pyarrow.bool_(), "int": pyarrow.int64(), "float": pyarrow.float64()}
    schema = pyarrow.schema([(name, types[kind]) for name, kind in table.columns], metadata=metadata)
    columns = list(zip(*table.rows, strict=True)) or [()] * len(table.columns)
    arrays = [
        pyarrow.array([_cell(cell) for cell in column], types[kind])
        for column, (_, kind) in zip(columns, table.columns, strict=True)
    ]
    file = BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(arrays, schema=schema), file)
    return file.getvalue()


def _cell(cell: Cell) -> Cell:
    return encodable(cell) if isinstance(cell, str) else cell
