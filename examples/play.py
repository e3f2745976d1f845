"""A desktop player: `python examples/play.py clip.ecv [original.mp4]`, `--help` for the rest."""

from player.app import main

if __name__ == "__main__":
    raise SystemExit(main())
