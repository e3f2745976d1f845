from __future__ import annotations

import json
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import typer
from edgecodec.cli._errors import ExitCode, describe, exit_code
from edgecodec.cli.app import ReportingGroup, app
from edgecodec.runtime import errors
from typer.testing import CliRunner


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.BitstreamError("x"), 3),
        (errors.UnsupportedError("x"), 3),
        (errors.ModelError("x"), 3),
        (FileNotFoundError(2, "No such file", "x"), 3),
        (IsADirectoryError(21, "Is a directory", "x"), 3),
        (PermissionError(13, "Permission denied", "x"), 3),
        (errors.GateError("x"), 4),
        (errors.ProviderError("x"), 5),
        (errors.DeviceError("x"), 5),
        (errors.ProfileFileError("x"), 3),
        (errors.DispatchError("x"), 5),
        (ConnectionRefusedError(111, "Connection refused"), 3),
        (TimeoutError("x"), 3),
        (errors.ExportError("x"), 1),
        (ZeroDivisionError("x"), 1),
        (OSError(28, "No space left on device"), 1),
        (typer.BadParameter("x"), 2),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_each_error_has_its_exit_code(error: BaseException, code: int) -> None:
    assert exit_code(error) == code


def tree(error: BaseException) -> typer.Typer:
    """A command tree whose verb raises `error`."""
    command = typer.Typer(cls=ReportingGroup, add_completion=False)

    @command.callback()
    def root(debug: bool = False) -> None:
        pass

    @command.command()
    def fail(json: bool = False) -> None:
        raise error

    return command


def test_an_error_is_one_line_on_stderr_and_with_json_an_object_on_stdout(
    runner: CliRunner,
) -> None:
    command = tree(errors.GateError("enhancer lost 0.2 dB, 0.1 dB are allowed"))
    plain = runner.invoke(command, ["fail"])
    assert (plain.exit_code, plain.stdout) == (4, "")
    assert plain.stderr == "error: enhancer lost 0.2 dB, 0.1 dB are allowed\n"
    machine = runner.invoke(command, ["fail", "--json"])
    assert (machine.exit_code, machine.stderr) == (4, plain.stderr)
    assert json.loads(machine.stdout) == {
        "error": {"type": "GateError", "message": "enhancer lost 0.2 dB, 0.1 dB are allowed"}
    }


def test_the_traceback_is_shown_only_when_it_is_asked_for(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tree(ZeroDivisionError("a bug"))
    short = runner.invoke(command, ["fail"])
    assert short.exit_code == 1
    assert short.stderr.startswith("error: ZeroDivisionError: a bug")
    assert "--debug" in short.stderr
    assert "Traceback" not in short.stderr
    assert "Traceback" in runner.invoke(command, ["--debug", "fail"]).stderr
    monkeypatch.setenv("EDGECODEC_DEBUG", "1")
    assert "Traceback" in runner.invoke(command, ["fail"]).stderr
    monkeypatch.setenv("EDGECODEC_DEBUG", "0")
    assert "Traceback" not in runner.invoke(command, ["fail"]).stderr


def test_an_interrupt_exits_with_130(runner: CliRunner) -> None:
    result = runner.invoke(tree(KeyboardInterrupt()), ["fail"])
    assert (result.exit_code, result.stderr) == (ExitCode.INTERRUPTED, "error: interrupted\n")


def test_only_our_own_warnings_are_shown_one_line_each(runner: CliRunner) -> None:
    command = typer.Typer(cls=ReportingGroup, add_completion=False)

    @command.callback()
    def root() -> None:
        pass

    @command.command()
    def warn() -> None:
        for module in ("edgecodec.runtime.mux", "torch.onnx"):
            warnings.warn_explicit(f"from {module}", UserWarning, "file.py", 1, module=module)

    result = runner.invoke(command, ["warn"])
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "warning: from edgecodec.runtime.mux\n"


def test_a_missing_module_is_told_with_the_extra_that_brings_it() -> None:
    error = ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn")
    assert describe(error) == (
        "this needs torch, which is not installed: pip install 'edgecodec[encoder]'"
    )


def test_a_usage_error_names_the_help_and_is_json_too(runner: CliRunner) -> None:
    result = runner.invoke(app, ["info", "--json"], prog_name="edgecodec")
    assert result.exit_code == 2
    assert "Missing argument" in result.stderr
    assert "`edgecodec info --help`" in result.stderr
    assert "Missing argument" in json.loads(result.stdout)["error"]["message"]


def test_no_arguments_print_the_help_to_stderr(runner: CliRunner) -> None:
    result = runner.invoke(app, [])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "encode" in result.stderr


def test_a_missing_file_is_named(runner: CliRunner, tmp_path: Path) -> None:
    result = runner.invoke(app, ["info", str(tmp_path / "none.ecv")])
    assert result.exit_code == 3
    assert result.stderr == f"error: {tmp_path / 'none.ecv'}: No such file or directory\n"


def test_a_process_exits_with_the_code() -> None:
    done = edgecodec("info", "no-such-file.ecv", "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["type"] == "FileNotFoundError"


def test_sigint_ends_a_process_with_130() -> None:
    # A shell that runs the tests in its background has them ignore SIGINT, and so their children.
    script = """
import signal, time, typer
from edgecodec.cli.app import ReportingGroup
signal.signal(signal.SIGINT, signal.default_int_handler)
app = typer.Typer(cls=ReportingGroup)
@app.callback()
def root(): pass
@app.command()
def work():
    print("working", flush=True)
    time.sleep(100)
app()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script, "work"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stderr == "error: interrupted\n"


def test_without_typer_one_line_says_what_to_install(tmp_path: Path) -> None:
    # A module that fails to import as an absent one does.
    (tmp_path / "typer.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'typer'\", name='typer')\n"
    )
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
    script += "from edgecodec.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: the edgecodec command needs typer: pip install 'edgecodec[cli]'\n"
    )


def edgecodec(*arguments: str) -> subprocess.CompletedProcess[str]:
    script = "from edgecodec.cli import main; main()"
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)
