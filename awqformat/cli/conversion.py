"""awqformat convert: between checkpoint directories and .awq files."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from awqformat.checkpoints.convert import Conversion
from awqformat.checkpoints.convert import Progress as Told
from awqformat.checkpoints.export_config import EXPORTABLE
from awqformat.checkpoints.losses import MEANINGS
from awqformat.checkpoints.places import MisuseError
from awqformat.checkpoints.shards import SHARD_SIZE
from awqformat.cli.exits import one_line_errors

_UNITS: Final = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "": 1}


class _Size(click.ParamType[int]):
    """Bytes, such as 5GB."""

    name = "size"

    def convert(self, value: object, parameter: click.Parameter | None, context: click.Context | None) -> int:
        """Return the number of bytes."""
        if isinstance(value, int):
            return value
        size = re.fullmatch(r"([1-9]\d*)(KB|MB|GB|)", str(value).upper())
        if size is None:
            self.fail(f"{value} is no size, such as 5GB or 500MB", parameter, context)
        return int(size[1]) * _UNITS[size[2]]


def _group_size(context: click.Context, parameter: click.Parameter, value: int | None) -> int | None:
    if value is not None and value != -1 and (value < 8 or value % 8):
        raise click.BadParameter("a multiple of 8, or -1", context, parameter)
    return value


@contextmanager
def _bars(total: int) -> Iterator[Told]:
    """Show a bar for each step on stderr, if that is a terminal, and yield the function that moves them."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TimeRemainingColumn(),
               TextColumn("{task.fields[item]}", markup=False))  # fmt: skip
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:

        def told(step: str, name: str, size: int) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step, total=total, item="")
            bar.update(tasks[step], advance=size, item=name)

        yield told


@click.command()
@click.argument("source")
@click.argument("target")
@click.option("--to", type=click.Choice(EXPORTABLE), help="Make a directory of this dialect.")
@click.option("--from", "dialect", type=click.Choice(EXPORTABLE), help="The dialect of SOURCE, if it does not tell.")
@click.option("--group-size", type=int, callback=_group_size, help="Its group size, if it does not tell; -1: K.")
@click.option("--allow-lossy", multiple=True, type=click.Choice([*MEANINGS, "all"]), help="Let this be lost.")
@click.option("--workers", type=click.IntRange(1, 256), default=os.cpu_count() or 1, show_default="one per CPU",
              help="Threads, each with one layer in memory.")  # fmt: skip
@click.option(
    "--shard-size", type=_Size(), default=SHARD_SIZE, show_default="5GB", help="Bytes in one safetensors file."
)
@click.option("--force", is_flag=True, help="Replace TARGET if it exists.")
@click.option("--dry-run", is_flag=True, help="Plan, check, print the plan, and stop.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
@one_line_errors
def convert(
    source: str,
    target: str,
    *,
    to: str | None,
    dialect: str | None,
    group_size: int | None,
    allow_lossy: tuple[str, ...],
    workers: int,
    shard_size: int,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Convert SOURCE, a checkpoint directory or an .awq file, to TARGET; both may be URLs.

    TARGET is an .awq file, or a directory of the dialect that --to names. Codes, zero points and scales are kept
    exactly, or the conversion is refused; it is read back and compared before TARGET appears, whole or not at all.
    """
    allowed = tuple(MEANINGS) if "all" in allow_lossy else allow_lossy
    try:
        conversion = Conversion(
            source,
            target,
            to=to,
            dialect=dialect,
            group_size=group_size,
            allow=allowed,
            shard_size=shard_size,
            force=force,
        )
    except MisuseError as error:
        raise click.UsageError(str(error)) from None
    with conversion:
        with _bars(conversion.model.size) as told:
            if dry_run:
                conversion.check(workers=workers, progress=told)
            else:
                conversion.run(workers=workers, progress=told)
        if as_json:
            facts = conversion.facts() | {"written": not dry_run, "lost": conversion.losses.lost}
            click.echo(json.dumps(facts, indent=2))
        else:
            for line in _lines(conversion, dry_run=dry_run):
                click.echo(line)


def _lines(conversion: Conversion, *, dry_run: bool) -> Iterator[str]:
    facts, model = conversion.facts(), conversion.model
    done = "would write" if dry_run else "wrote"
    yield f"{done} {facts['target']}: {len(model.layers)} layers from {facts['from']} to {facts['to']}, " + (
        f"{len(model.plain)} other tensors, {facts['bytes_written']} bytes"
    )
    if dry_run:
        for name, size in conversion.files.items():
            yield f"file    {name}  {size} bytes"
        width = max((len(item.name) for item in model.items), default=0)
        for layer in model.layers:
            zeros = "symmetric" if layer.symmetric else "zero points"
            shape = "x".join(map(str, layer.shape))
            yield f"layer   {layer.name:<{width}}  {shape} G={layer.group_size} {layer.scale_dtype.name} {zeros}"
        for item in model.plain:
            yield f"tensor  {item.name:<{width}}  {item.dtype} {'x'.join(map(str, item.shape)) or 'scalar'}"
    for name in conversion.copied:
        yield f"{'copy' if dry_run else 'copied'}  {name}"
    for loss, layers in conversion.losses.lost.items():
        yield f"lost    {loss}: {MEANINGS[loss]}, in {len(layers)} layers, such as {layers[0]}"
    if not dry_run:
        yield "read back and compared: every code, zero point and scale, and every other byte, is what it was" + (
            " but for what was lost" if conversion.losses.lost else ""
        )
