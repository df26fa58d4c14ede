"""``mcusim schema``: the JSON Schema of the trace, as published in the documentation."""

from __future__ import annotations

import typer

NAME = "schema"


def command() -> None:
    """Print the JSON Schema of the trace document."""
    import json

    from mcusim.trace import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))
