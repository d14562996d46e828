import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.challenges.rules.test_lab import PUBLISHED

ROOT = Path(__file__).resolve().parents[3]


def rules(*arguments: str, given: str = "", data: Path) -> subprocess.CompletedProcess[str]:
    """`manage.py rules` as a person runs it: nothing prepared, no server anywhere."""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    environment |= {"PROPDESK_DATA": str(data), "PROPDESK_ENV": "local"}
    return subprocess.run(
        [sys.executable, "manage.py", "rules", *arguments],
        cwd=ROOT,
        env=environment,
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_file_and_standard_input_give_the_same_json_and_exit_0(tmp_path: Path):
    file = tmp_path / "document.json"
    file.write_text(PUBLISHED)
    by_name, by_pipe = rules(str(file), data=tmp_path), rules("-", given=PUBLISHED, data=tmp_path)
    assert (by_name.returncode, by_name.stderr) == (by_pipe.returncode, by_pipe.stderr) == (0, "")
    assert by_name.stdout == by_pipe.stdout
    assert json.loads(by_name.stdout)["status"] == "failed"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ('{"initial_balance": 1, "terms": {"x": 1}, "observations": []}', "-: terms.x: unknown parameter"),
        ("{", "-: line 1 column 2: not JSON: Expecting property name enclosed in double quotes"),
    ],
)
def test_what_cannot_be_judged_is_one_line_of_error_and_exit_2(given: str, message: str, tmp_path: Path):
    answer = rules("-", given=given, data=tmp_path)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == f"CommandError: {message}\n"


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path):
    answer = rules(str(tmp_path / "none.json"), data=tmp_path)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == f"CommandError: {tmp_path}/none.json: No such file or directory\n"
