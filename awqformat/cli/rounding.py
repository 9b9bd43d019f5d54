"""awqformat quantize: a model rounded to nearest."""

from __future__ import annotations

from pathlib import Path

import click

from awqformat import dtypes
from awqformat.checkpoints.dense import NOT_LINEAR, open_checkpoint, quantize_checkpoint
from awqformat.cli.exits import one_line_errors
from awqformat.cli.progress import progress_of_tensors
from awqformat.container.writer import save_file
from awqformat.schema import Dtype


def _legal_group_size(_context: click.Context, _parameter: click.Parameter, value: int) -> int:
    if value != -1 and (value < 8 or value % 8):
        raise click.BadParameter("a multiple of 8, or -1")
    return value


@click.command()
@click.argument("source")
@click.argument("target")
@click.option(
    "--group-size", "-g", default=128, show_default=True, callback=_legal_group_size,
    help="Codes per scale; -1: one group per row.",
)  # fmt: skip
@click.option("--symmetric", is_flag=True, help="Store no zero points.")
@click.option(
    "--scale-dtype", type=click.Choice([d.name for d in dtypes.SCALES], case_sensitive=False), default=Dtype.F16.name,
    show_default=True,
)  # fmt: skip
@click.option("--exclude", multiple=True, default=NOT_LINEAR, show_default=True, help="Names never to quantise.")
@click.option("--force", is_flag=True, help="Replace TARGET if it exists.")
@one_line_errors
def quantize(
    source: str,
    target: str,
    *,
    group_size: int,
    symmetric: bool,
    scale_dtype: str,
    exclude: tuple[str, ...],
    force: bool,
) -> None:
    """Quantise the linear layers of SOURCE by rounding to nearest, and write TARGET (.awq).

    SOURCE is a safetensors file, or a directory of several with their index. Every other tensor is kept as it
    is, so that TARGET holds the whole model.
    """
    if Path(target).exists() and not force:
        raise click.UsageError(f"{target} exists; --force replaces it")
    metadata = {"quantization.method": "round-to-nearest", "quantization.tool": "awqformat"}
    with open_checkpoint(source) as checkpoint:
        tensors = quantize_checkpoint(
            checkpoint, group_size, symmetric=symmetric, scale_dtype=Dtype[scale_dtype.upper()], exclude=exclude
        )
        with progress_of_tensors("quantising", len(checkpoint)) as step:
            save_file(tensors, target, metadata, progress=step)
    done = sum(tensor.dtype is Dtype.U4 for tensor in tensors.values())
    click.echo(f"wrote {target}: {done} of {len(tensors)} tensors quantised")
