"""``new-adapter``: a starting point for one's own adapter."""

from __future__ import annotations

from pathlib import Path

import click

from awq_conformance import template


@click.command("new-adapter")
@click.option("--lang", "name", type=click.Choice(list(template.LANGUAGES)), required=True, help="The language.")
@click.option("--serve", is_flag=True, help="With serve: one process for many files, for loaders that start slowly.")
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
def new_adapter(name: str, folder: Path, *, serve: bool, force: bool) -> None:
    """Write an adapter that works into DIR, around a loader of this project, with a place for yours.

    The commands it prints build and examine it.
    """
    language = template.LANGUAGES[name]
    if serve and not template.serves(language):
        raise click.UsageError(f"--lang {name} has no --serve: it starts a process for each file anyway")
    try:
        written = template.write(template.files(language, serve=serve), folder, force=force)
    except template.ExistsError as present:
        raise click.UsageError(f"{present}: there already (--force overwrites)") from present
    except OSError as error:
        raise click.UsageError(f"{error.filename or folder}: {error.strerror}") from error
    for path in written:
        click.echo(f"wrote {path}")
    click.echo("It works as it is. Build and examine it:\n")
    for step in template.steps(language, folder):
        click.echo(f"  {step}")
    click.echo(f"\nThen put your loader in place of {language.place}, and do the same again.")
