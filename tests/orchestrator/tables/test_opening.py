"""Tables by URL."""

from __future__ import annotations

import subprocess
import sys

import pytest
from edgecodec.orchestrator.tables import open_table
from edgecodec.runtime.errors import DispatchError


@pytest.mark.parametrize("url", ["", "results.sqlite", "mysql://host/db", "sqlite", "sqlite:"])
def test_what_is_no_table_is_refused_with_the_forms(url: str) -> None:
    with pytest.raises(DispatchError, match="sqlite:"):
        open_table(url)


def test_a_file_loads_no_client_of_a_server() -> None:
    script = (
        "import sys; from edgecodec.orchestrator.tables import open_table;"
        " open_table('sqlite::memory:').close();"
        " print(sorted({'boto3', 'botocore', 'redis'} & set(sys.modules)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert said.stdout.strip() == "[]"
