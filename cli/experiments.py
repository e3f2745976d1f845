"""`edgecodec experiments`: the loop that looks for better settings, and what it has found."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ._arguments import check_file, check_page
from ._experiments_board import board_on_stderr
from ._experiments_fleet import Broker, Media, Results
from ._experiments_found import dispatcher as fleet_dispatcher
from ._experiments_found import opened, report, write_report
from ._experiments_look import add_verbs
from ._experiments_run import (
    conclude,
    note_other_encoder,
    own_workers,
    sit,
    terminated_as_interrupted,
)

if TYPE_CHECKING:
    from ..orchestrator.loop import Board

_ABOUT = "What is looked for (kept when a run goes on)"
_HOW = "How"
_END = "When to end"
_OUT = "What to write"

experiments = typer.Typer(
    rich_markup_mode="markdown",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Look for better settings by experiments that workers make, and see what came of them.\n\n"
    "Example: `edgecodec experiments run clip.mp4 --goal 'psnr>=38, bitrate min' --count 25`\n\n"
    "Every verb takes `--json`.",
)


@experiments.command()
def run(
    clips: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[CLIP]...", help="Videos; none to go on with --run.", show_default=False
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--run",
            metavar="NAME",
            help="A name for a new run, or that of one to go on with.  \\[default: the time]",
        ),
    ] = None,
    broker: Broker = None,
    results: Results = None,
    media: Media = None,
    goal: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="Bounds and objectives: 'psnr>=38, bitrate min', 'vmaf>=90, bitrate<=0.8'."
            "  \\[default: bitrate min, psnr max, tops min]",
            rich_help_panel=_ABOUT,
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The device of `edgecodec devices` that gives verdicts."
            "  \\[default: snapdragon-40tops]",
            rich_help_panel=_ABOUT,
        ),
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Only the first N frames of each clip.", rich_help_panel=_ABOUT
        ),
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="What may be tried: 'codecs=av1|vvc, effort=fast, target=psnr:38..40'."
            "  \\[default: by the goal]",
            rich_help_panel=_ABOUT,
        ),
    ] = None,
    quick: Annotated[
        bool | None,
        typer.Option(
            "--quick",
            help="Leave out what takes long: VVC, slow presets, weights of a title's own.",
            show_default=False,
            rich_help_panel=_ABOUT,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, help="Of proposals and experiments.  \\[default: 1]", rich_help_panel=_ABOUT
        ),
    ] = None,
    designer: Annotated[
        Literal["optuna", "llm"],
        typer.Option(help="Who proposes experiments.", rich_help_panel=_HOW),
    ] = "optuna",
    llm: Annotated[
        Literal["anthropic", "openai"] | None,
        typer.Option(
            help="Whose language model.  \\[default: whose key is set]", rich_help_panel=_HOW
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Which language model.", rich_help_panel=_HOW),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="Workers to start here for this run."
            "  \\[default: 1 with a folder as broker, else 0]",
            rich_help_panel=_HOW,
        ),
    ] = None,
    gpu: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="N", help="The GPU of the workers started here.", rich_help_panel=_HOW
        ),
    ] = None,
    parallel: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Experiments in flight at most.  \\[default: one more than workers here, else 8]",
            rich_help_panel=_HOW,
        ),
    ] = None,
    count: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            help="Experiments of the run, earlier sittings' too.",
            rich_help_panel=_END,
        ),
    ] = 25,
    budget: Annotated[
        float | None,
        typer.Option(
            metavar="MONEY",
            help="The most that all attempts of the run may cost; needs a price.",
            rich_help_panel=_END,
        ),
    ] = None,
    price: Annotated[
        float | None,
        typer.Option(min=0, metavar="MONEY", help="Of a worker's hour.", rich_help_panel=_END),
    ] = None,
    currency: Annotated[
        str, typer.Option(metavar="NAME", help="Of budget and price.", rich_help_panel=_END)
    ] = "USD",
    hours: Annotated[
        float | None,
        typer.Option(metavar="H", help="The longest that this goes on.", rich_help_panel=_END),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="End after N results without progress.", rich_help_panel=_END
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A page, kept up to date as results come.", rich_help_panel=_OUT
        ),
    ] = None,
    preset: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.toml",
            help="The best settings, for `edgecodec encode --preset`.",
            rich_help_panel=_OUT,
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what was found as JSON.", rich_help_panel=_OUT)
    ] = False,
) -> None:
    """Propose experiments, have workers make them, learn, repeat. Ctrl-C leaves the run so that
    --run NAME goes on with it; nothing is done twice.

    Example: `edgecodec experiments run clip.mp4 --goal 'psnr>=38, bitrate min' --html run.html`
    """
    check_page(html)
    check_file(preset, "'--preset'")
    from ..encoder.fingerprint import fingerprint
    from ..orchestrator.cost import Price
    from ..orchestrator.deployment import deployment
    from ..orchestrator.design import designer as designer_named
    from ..orchestrator.loop import Loop, Plan
    from ..orchestrator.runs import RunBook
    from ..orchestrator.sitting import Wish, open_run
    from ..orchestrator.stop import StopRules

    if budget is not None and not price:
        raise typer.BadParameter("it needs --price above 0", param_hint="'--budget'")
    for clip in clips or ():
        if not clip.is_file():
            raise FileNotFoundError(f"{clip}: there is no such file")
    fleet = deployment(broker, results, media)
    here = (1 if fleet.scheme == "folder" else 0) if workers is None else workers
    wish = Wish(
        run=name,
        clips=tuple(clips or ()),
        frames=frames,
        goal=goal,
        device=device,
        seed=seed,
        space=space,
        quick=quick,
        price=None if price is None else Price(price, currency),
    )
    rules = StopRules(count, budget, hours, patience, currency=currency)
    with ExitStack() as stack:
        stack.enter_context(terminated_as_interrupted())
        table, store = opened(stack, fleet)
        book = RunBook(table)
        sitting = open_run(wish, book, store)
        note_other_encoder(sitting)
        proposer = designer_named(
            designer,
            space=sitting.space,
            goal=sitting.goal,
            seed=sitting.options.seed,
            llm=llm,
            model=model,
        )
        own = stack.enter_context(own_workers(fleet, here, gpu))
        show = stack.enter_context(board_on_stderr(sitting.run.name, count))
        dispatcher = fleet_dispatcher(stack, fleet)
        plan = Plan(
            run=sitting.run.name,
            clips=tuple(each.clip for each in sitting.options.clips),
            goal=sitting.goal,
            designer=proposer,
            rules=rules,
            price=sitting.price,
            device=sitting.options.device,
            model=fingerprint(),
            seed=sitting.options.seed,
            parallel=parallel or (here + 1 if here else 8),
        )

        def watch(board: Board) -> None:
            show(board)
            if html is not None and board.fresh:
                write_report(html, report(book, dispatcher, sitting))

        loop = Loop(plan, dispatcher, book, own, watch)
        sit(loop, sitting)
        found = report(book, dispatcher, sitting)
        if html is not None:
            write_report(html, found)
    conclude(found, preset, as_json=as_json)


add_verbs(experiments)
