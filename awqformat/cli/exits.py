"""Exit codes, and the one line that goes with each."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Final, ParamSpec

import click

from awqformat.errors import AwqError

P = ParamSpec("P")

MALFORMED: Final = 65
UNREADABLE: Final = 66
UNSUPPORTED: Final = 69
CANNOT_WRITE: Final = 73
INTERRUPTED: Final = 130

_EXITS: Final = {"E_FILE": UNREADABLE, "E_IO": UNREADABLE, "UNSUPPORTED": UNSUPPORTED}


def one_line_errors(command: Callable[P, None]) -> Callable[P, None]:
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
        except KeyboardInterrupt:
            click.echo("awqformat: interrupted", err=True)
            sys.exit(INTERRUPTED)

    return run
