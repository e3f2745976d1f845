"""The thin experiment loop (design, dispatch, wait, analyse); nothing is released here yet."""

__all__: list[str] = []
