"""awqformat verify and info: one file, looked at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click

from awqformat.cli.exits import one_line_errors
from awqformat.cli.progress import progress_of_tensors
from awqformat.container.data import TensorInfo
from awqformat.container.reader import AwqFile, safe_open
from awqformat.schema import Dtype


@click.command()
@click.argument("file")
@one_line_errors
def verify(file: str) -> None:
    """Check every byte of FILE against every rule of the format."""
    with safe_open(file) as opened, progress_of_tensors("verifying", len(opened)) as step:
        opened.verify(progress=lambda info: step(info.name))
        click.echo(f"ok {file} ({len(opened)} tensors, identity {opened.identity})")


@click.command()
@click.argument("file")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
@one_line_errors
def info(file: str, *, as_json: bool) -> None:
    """Show what FILE holds: header, sections and tensors. Tensor data is not verified."""
    with safe_open(file, verify="none") as opened:
        click.echo(json.dumps(_facts(opened), indent=2) if as_json else "\n".join(_lines(opened)))


def _facts(file: AwqFile) -> dict[str, Any]:
    preamble = file.preamble
    return {
        "identity": file.identity,
        "minor": preamble.minor,
        "alignment": preamble.alignment,
        "file_size": preamble.file_size,
        "metadata": file.metadata(),
        "sections": [{"name": s.name, "offset": s.offset, "size": s.size} for s in preamble.physical()],
        "tensors": [
            {
                "name": t.name,
                "dtype": t.dtype.name,
                "shape": list(t.shape),
                "group_size": t.group_size,
                "scale_dtype": t.scale_dtype.name,
                "symmetric": t.quantized and t.zero_dtype is Dtype.NONE,
                "offset": t.offset,
                "size": t.size,
            }
            for t in map(file.info, file.keys())
        ],
    }


def _lines(file: AwqFile) -> Iterator[str]:
    preamble = file.preamble
    yield f"identity   {file.identity}"
    yield f"version    1.{preamble.minor}, {preamble.file_size} bytes, extents aligned to {preamble.alignment}"
    for section in preamble.physical():
        yield f"section    {section.name:<8} {section.size:>12} bytes at {section.offset}"
    for key, value in file.metadata().items():
        yield f"metadata   {key} = {value if len(value) <= 60 else value[:57] + '...'}".encode(
            "unicode_escape"
        ).decode()
    infos = [file.info(name) for name in file.keys()]  # noqa: SIM118  # not a mapping
    width = max((len(t.name) for t in infos), default=0)
    for t in infos:
        yield f"tensor     {t.name:<{width}}  {_kind(t):<28} {t.size:>12} bytes at {t.offset}"


def _kind(t: TensorInfo) -> str:
    shape = "x".join(map(str, t.shape)) or "scalar"
    if not t.quantized:
        return f"{t.dtype.name} {shape}"
    zeros = "symmetric" if t.zero_dtype is Dtype.NONE else "zero points"
    return f"U4 {shape} G={t.group_size} {t.scale_dtype.name} {zeros}"
