"""The command awqformat: verify, info, quantize, compare."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Final, ParamSpec

import click
from rich.console import Console
from rich.progress import Progress

from awqformat import dtypes
from awqformat.checkpoints import NOT_LINEAR, open_checkpoint, quantize_checkpoint
from awqformat.compare import Comparison, compare
from awqformat.container.data import TensorInfo
from awqformat.container.reader import AwqFile, safe_open
from awqformat.container.writer import save_file
from awqformat.errors import AwqError
from awqformat.schema import Dtype

P = ParamSpec("P")

MALFORMED: Final = 65
UNREADABLE: Final = 66
UNSUPPORTED: Final = 69
CANNOT_WRITE: Final = 73

_EXITS: Final = {"E_FILE": UNREADABLE, "E_IO": UNREADABLE, "UNSUPPORTED": UNSUPPORTED}


def _one_line_errors(command: Callable[P, None]) -> Callable[P, None]:
    """Turn every fault a file can have into one line on stderr and its exit code."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except AwqError as error:
            click.echo(f"awqformat: {error}", err=True)
            sys.exit(_EXITS.get(error.code, MALFORMED))
        except OSError as error:
            click.echo(f"awqformat: {error.filename or 'output'}: {error.strerror}", err=True)
            sys.exit(CANNOT_WRITE)

    return run


@contextmanager
def _progress(label: str, total: int) -> Iterator[Callable[[str], None]]:
    """Show a bar on stderr, if that is a terminal, and yield the function that moves it one step."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(label, total=total)
        yield lambda name: bar.update(task, advance=1, description=f"{label} {name}")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="awqformat")
def main() -> None:
    """Read, check, make and compare AWQ weight files.

    Exit codes: 0 good, 1 compared and too far apart, 2 usage, 65 malformed, 66 cannot be read,
    69 needs something this build lacks, 73 cannot be written.
    """


@main.command()
@click.argument("file")
@_one_line_errors
def verify(file: str) -> None:
    """Check every byte of FILE against every rule of the format."""
    with safe_open(file) as opened, _progress("verifying", len(opened)) as step:
        opened.verify(progress=lambda info: step(info.name))
        click.echo(f"ok {file} ({len(opened)} tensors, identity {opened.identity})")


@main.command()
@click.argument("file")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
@_one_line_errors
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


def _legal_group_size(_context: click.Context, _parameter: click.Parameter, value: int) -> int:
    if value != -1 and (value < 8 or value % 8):
        raise click.BadParameter("a multiple of 8, or -1")
    return value


@main.command()
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
@_one_line_errors
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
    """Quantise the linear layers of SOURCE (safetensors) by rounding to nearest, and write TARGET (.awq).

    Every other tensor is kept as it is, so that TARGET holds the whole model.
    """
    if Path(target).exists() and not force:
        raise click.UsageError(f"{target} exists; --force replaces it")
    with open_checkpoint(source) as checkpoint:
        with _progress("quantising", len(checkpoint)) as step:
            tensors = quantize_checkpoint(
                checkpoint,
                group_size,
                symmetric=symmetric,
                scale_dtype=Dtype[scale_dtype.upper()],
                exclude=exclude,
                progress=step,
            )
        save_file(tensors, target, {"quantization.method": "round-to-nearest", "quantization.tool": "awqformat"})
    done = sum(not hasattr(tensor, "dtype") for tensor in tensors.values())
    click.echo(f"wrote {target}: {done} of {len(tensors)} tensors quantised")


@main.command("compare")
@click.argument("original")
@click.argument("file")
@click.option("--cosine", default=0.99, show_default=True, help="Least cosine similarity of a layer.")
@click.option("--mse", default=1e-3, show_default=True, help="Greatest mean squared error of a layer.")
@_one_line_errors
def compare_command(original: str, file: str, *, cosine: float, mse: float) -> None:
    """Compare every layer of FILE (.awq) with ORIGINAL (safetensors); exit 1 if one is too far off or missing."""
    results: list[Comparison] = []
    with open_checkpoint(original) as checkpoint, safe_open(file) as opened:
        with _progress("comparing", len(checkpoint)) as step:
            for result in compare(checkpoint, opened):
                results.append(result)
                step(result.name)
        extra = [name for name in opened.keys() if name not in checkpoint]  # noqa: SIM118  # not a mapping
    width = max((len(result.name) for result in results), default=0)
    for result in results:
        passed = result.passes(cosine, mse)
        if result.quantized or not passed:
            figures = result.problem or f"cosine {result.cosine:.6f}  mse {result.mse:.3e}"
            click.echo(f"{'ok  ' if passed else 'FAIL'} {result.name:<{width}}  {figures}")
    for name in extra:
        click.echo(f"note {name:<{width}}  not in {original}")
    failed = sum(not result.passes(cosine, mse) for result in results)
    layers = sum(result.quantized for result in results)
    click.echo(
        f"{len(results) - failed} of {len(results)} tensors within cosine >= {cosine:g}, mse <= {mse:g} "
        f"({layers} quantised layers)"
    )
    sys.exit(1 if failed or not results else 0)
