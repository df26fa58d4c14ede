"""The application: its commands, its global options, and how every way to end becomes an exit code."""

from __future__ import annotations

import errno
import io
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, cast

import typer

from mcusim import __version__
from mcusim.cli import (
    build,
    chips,
    compare,
    demo,
    diff,
    export,
    plan,
    recost,
    redistribute,
    report,
    run,
    schema,
    sweep,
    timing,
)
from mcusim.errors import EXIT_USAGE, McusimError

EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141
EXIT_INTERNAL = 71
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Errors of a disk that standard output goes to."""
DEBUG = "MCUSIM_DEBUG"
_OPTION_ERROR: type[Exception] = typer.BadParameter.__bases__[0]
"""What the parser of options raises. The public one's base, whose own place depends on Typer's version."""

app = typer.Typer(
    name="mcusim",
    help="Run Cortex-M4 firmware and say what it costs, in cycles and in bytes.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _module in (
    run,
    build,
    plan,
    compare,
    sweep,
    redistribute,
    report,
    recost,
    diff,
    export,
    chips,
    schema,
    demo,
):
    app.command(_module.NAME)(_module.command)
app.add_typer(timing.app)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mcusim {__version__}")
        raise typer.Exit


@app.callback()
def _global_options(
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help=f"Show a traceback with every error; {DEBUG}=1 does the same.")
    ] = False,
) -> None:
    if debug:
        os.environ[DEBUG] = "1"


def invoke(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; no exception leaves this function."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        return _run(arguments)
    except BrokenPipeError:
        _close_standard_output()
        return EXIT_BROKEN_PIPE
    except McusimError as error:
        _say(str(error))
        return error.exit_code
    except OSError as error:
        if error.errno not in FULL:
            return _say_bug(error)
        _close_standard_output()
        _say(f"what it prints cannot be written: {error.strerror}")
        return EXIT_USAGE
    except Exception as error:
        return _say_bug(error)


def _run(arguments: Sequence[str]) -> int:
    """With the ways to end that the parser of options has."""
    try:
        ended = app(args=list(arguments), prog_name="mcusim", standalone_mode=False)
    except _OPTION_ERROR as error:
        return _say_option_error(cast("typer.BadParameter", error))
    except SystemExit as end:
        return _code_of(end)
    if ended == EXIT_INTERRUPTED:  # what Typer makes of the interrupt key
        _say("interrupted")
    return ended if isinstance(ended, int) else 0


def _say_option_error(error: typer.BadParameter) -> int:
    """What the parser says of the command line, in one line; help, where that was what it has to say."""
    message = error.format_message()
    if "\n" in message:
        error.show()
    else:
        command = error.ctx.command_path if error.ctx else "mcusim"
        _say(f"{message.removesuffix('.').replace('Value error, ', '')}; {command} -h says what there is")
    return EXIT_USAGE


def _code_of(end: SystemExit) -> int:
    if end.code is None:
        return 0
    return end.code if isinstance(end.code, int) else 1


def _say(sentence: str) -> None:
    """One line on standard error, after the traceback if that was asked for."""
    sys.stdout.flush()
    if os.environ.get(DEBUG):
        traceback.print_exc()
    one_line = " ".join(sentence.split())
    typer.echo(f"mcusim: {one_line}", err=True)


def _say_bug(error: Exception) -> int:
    _say(
        f"internal error, {type(error).__name__}: {error}; this is a bug of mcusim, please report it "
        f"with what the same command prints when {DEBUG}=1 is set"
    )
    return EXIT_INTERNAL


def _close_standard_output() -> None:
    """The reader or the room for it has gone: keep the interpreter from complaining about it when it flushes
    at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
