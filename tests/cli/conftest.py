"""Run the command line as a user does, in process."""

import json

import pytest
from click.testing import CliRunner

from swapfast.cli.commands import swapfast


@pytest.fixture
def run():
    """``run("replay", path, "-m", "50%")``: a click Result; ``.json`` parses its stdout."""

    def invoke(*args, code=0):
        result = CliRunner().invoke(swapfast, [str(a) for a in args], catch_exceptions=False)
        assert result.exit_code == code, result.output + result.stderr
        if "--json" in args and result.stdout:
            result.json = json.loads(result.stdout)
        return result

    return invoke
