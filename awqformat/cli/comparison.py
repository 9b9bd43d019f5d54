"""awqformat compare: a file against the model it was made from."""

from __future__ import annotations

import sys

import click

from awqformat.checkpoints.dense import open_checkpoint
from awqformat.cli.exits import one_line_errors
from awqformat.cli.progress import progress_of_tensors
from awqformat.compare import Comparison, compare
from awqformat.container.reader import safe_open


@click.command("compare")
@click.argument("original")
@click.argument("file")
@click.option("--cosine", default=0.99, show_default=True, help="Least cosine similarity of a layer.")
@click.option("--mse", default=1e-3, show_default=True, help="Greatest mean squared error of a layer.")
@one_line_errors
def compare_command(original: str, file: str, *, cosine: float, mse: float) -> None:
    """Compare every layer of FILE (.awq) with ORIGINAL (safetensors); exit 1 if one is too far off or missing."""
    results: list[Comparison] = []
    with open_checkpoint(original) as checkpoint, safe_open(file) as opened:
        with progress_of_tensors("comparing", len(checkpoint)) as step:
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
