"""`edgecodec decode`: an `.ecv` stream into a file to play, raw frames, a checksum or nothing."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from ._errors import naming
from ._output import print_json, progress_bar


def decode(
    stream: Annotated[
        str, typer.Argument(metavar="IN.ecv|URL", help="The stream to play, or where it is served.")
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="A file that ends in .mp4, .mov, .mkv or .y4m, all lossless, and is replaced if"
            " it exists; or `md5:`, or `null:`.",
        ),
    ],
    provider: Annotated[
        str, typer.Option(help="What the networks run on: auto, cpu, cuda and others.")
    ] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="0: all cores.")] = 0,
    models: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="A folder that `edgecodec export` wrote.  \\[default: packaged]"
        ),
    ] = None,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Skip damaged scenes and report them.")
    ] = False,
    verify: Annotated[
        str | None,
        typer.Option(
            metavar="MD5", help="Fail (exit code 4), writing nothing, if the samples differ."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Decode a stream, without torch.

    Example: `edgecodec decode clip.ecv -o clip.mp4`
    """
    if Path(output).exists() and Path(stream).exists() and Path(output).samefile(stream):
        raise typer.BadParameter(f"{output} is the input itself", param_hint="'--output' / '-o'")
    from .. import runtime
    from ..runtime.errors import BitstreamError, GateError
    from ..runtime.frames import Frame
    from ..runtime.sinks import Md5Sink, open_sink
    from ..runtime.transfer import transfer

    with ExitStack() as stack:
        with naming(stream):
            video = runtime.open(
                stream,
                provider=provider,
                threads=threads,
                models=models,
                on_damage="skip" if keep_going else "raise",
            )
        stack.enter_context(video)
        show = stack.enter_context(progress_bar(Path(stream).name))
        sinks = [stack.enter_context(open_sink(output, video.info))]
        if verify and output != "md5:":
            sinks.append(stack.enter_context(Md5Sink()))

        def advance(frame: Frame, number: int) -> None:
            show(number / max(video.info.frames, 1), f"{frame.time:.2f} s")

        try:
            done = transfer(video, video.aux_packets(), video.info, sinks, advance)
        except BitstreamError as error:
            raise BitstreamError(f"{stream}: {error}; --keep-going skips damaged scenes") from error
        digest = next((sink.digest for sink in sinks if isinstance(sink, Md5Sink)), None)
        if verify and digest != verify.lower():
            raise GateError(f"{stream}: the samples have MD5 {digest}, {verify} was wanted")
    if as_json:
        print_json(
            {
                "output": output,
                "frames": done.frames,
                "seconds": done.seconds,
                "fps": done.fps,
                "provider": video.info.provider,
                "damage": video.damage,
                "md5": digest,
            }
        )
        return
    print(
        f"{sinks[0].summary or 'nothing kept'}: {done.frames} frames in {done.seconds:.2f} s,"
        f" {done.fps:.1f} frames/s, networks on {video.info.provider}"
    )
    for damage in video.damage:
        print(f"damage: {damage.size} bytes at {damage.offset}: {damage.what}")
