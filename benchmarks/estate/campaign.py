"""Choose attacks."""
from benchmarks.estate.world import World
def schedule(world: World) -> None:
    pass
